"""Training one network from a notebook, as `archdsl train` does it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from archdsl.api.distributed import train_under
from archdsl.api.run_training import Nobody
from archdsl.api.sources import DATA, MODEL, RUNNER, SEED, Document, profile_of, trainee_of
from archdsl.arguments import arguments
from archdsl.arguments.kinds import DB, instance
from archdsl.spec.model import ModelSpec
from archdsl.training.trackers import TrackerName

if TYPE_CHECKING:
    from archdsl.nn.network import Network
    from archdsl.training.bundle import Bundle


@arguments(
    spec=MODEL,
    data=DATA,
    folder=instance(str, Path, wanted="a folder; give its path"),
    recipe=instance(str, Mapping, wanted="a recipe; give its name, or its words as a mapping"),
    epochs=Annotated[int, Field(ge=1)] | None,
    init=instance(str, Path, wanted="weights; give their file") | None,
    seed=SEED,
    split_seed=Annotated[int, Field(ge=0)],
    device=Literal["auto", "cpu", "cuda"],
    threads=Annotated[int, Field(ge=1)] | None,
    runner=RUNNER,
    processes=Annotated[int, Field(ge=1)],
    db=DB | None,
    log=TrackerName | None,
)
def train(
    spec: Document | ModelSpec | Network,
    *,
    data: str,
    folder: str | Path,
    recipe: str | Mapping[str, Any] = "small-images",
    epochs: int | None = None,
    init: str | Path | None = None,
    seed: int = 0,
    split_seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
    runner: Document = "local",
    processes: int = 1,
    db: str | Path | None = None,
    log: TrackerName | None = None,
) -> Bundle:
    """Train one network in a folder of its own, as `archdsl train` does.

    The same call starts, goes on after an interruption, or finds the training finished.

    Args:
        spec: as for `load`; or `timm:NAME`, a model of timm's, with fresh weights, whose pictures
            are of the size that timm says it is for.
        data: the images: `digits`, `folder:DIR`, `csv:FILE`, `npz:FILE`, `wds/PATH`,
            `hfds/PATH` or `torch/NAME:DIR`.
        folder: made where it is missing; the bundle is left there, the table of epochs and their
            curves.
        recipe: how to train: the name of a recipe, or its words.
        epochs: passes over the images to train on; the recipe's unless given.
        init: file of the weights to begin with: a bundle or a checkpoint of the same family, of
            which what fits is taken, or timm's of a ViT (see `warm_start`).
        seed: of the weights, the order and the pictures.
        split_seed: of the parts that the data do not bring along.
        device: `auto` takes a GPU where there is one.
        threads: of the processors, at most; all that are usable unless given.
        runner: the run profile, with names of data sets, and the cluster where it is Ray's.
        processes: how many train together, each with what that profile gives a training.
        db: path or URL of a database, made where there is none, in which the training is kept, and
            found again in whatever folder it was made.
        log: what keeps the epochs, too, where its package is installed, in the folder: nothing is
            sent anywhere unless its own environment variables say so.

    Returns:
        The trained network with all that it takes to use it.

    Raises:
        NameNotFoundError: no document, model of timm's or recipe of that name.
        DocumentError: every problem of the document or the recipe.
        DataError: the data cannot be read, or do not fit the document.
        RunError: the folder holds another training, or another process trains into it.
        NotEnoughMemoryError: the training does not fit.
        DivergedError: a loss is infinite or not a number.
        WeightsError: nothing of `init` fits, or it cannot be read.
        WriteError: the folder cannot be written.
        RunnerError: several processes, and no such cluster, or no room for them.
        ArchdslError: the package of `log` is not installed.
    """
    return train_under(
        profile_of(runner),
        processes,
        watch=Nobody(),
        spec=trainee_of(spec),
        data=data,
        recipe=recipe,
        epochs=epochs,
        init=None if init is None else Path(init),
        seed=seed,
        split_seed=split_seed,
        device=device,
        threads=threads,
        folder=Path(folder),
        db=None if db is None else str(db),
        log=log,
    ).bundle
