"""`archdsl train`: one network from its document to a bundle that is used without anything else."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archdsl.cli.handling import handled
from archdsl.cli.options import Debug, Json, tell_repeated
from archdsl.cli.printing import print_json, print_table, put, say
from archdsl.cli.process import Interruption, behind
from archdsl.document.messages import nearest
from archdsl.document.settings import steps_of
from archdsl.errors import DataError, WriteError
from archdsl.runners.read import read_profile
from archdsl.spec.model import ModelSpec
from archdsl.training.read import read_recipe
from archdsl.training.recipe import Recipe
from archdsl.training.trackers import TrackerName

if TYPE_CHECKING:
    from archdsl.training.run import Trained

EXAMPLE = "Example: archdsl train vittm-digits --data digits -o runs/digits"


@handled
def command(
    spec: Annotated[
        str,
        typer.Argument(
            metavar="SPEC",
            help="Model document: a file or a name; or timm:NAME, a model of timm's.",
        ),
    ],
    data: Annotated[
        str,
        typer.Option(
            metavar="DATA",
            help="digits, folder:DIR, csv:FILE, npz:FILE, wds/PATH, hfds/PATH or torch/NAME:DIR.",
        ),
    ],
    recipe: Annotated[
        str, typer.Option(metavar="NAME", help="How to train: a recipe's name or file.")
    ] = "small-images",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Folder of this training.")
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=VALUE",
            help="Lay a value over the document, or over the recipe where it has that word.",
            callback=tell_repeated,
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over the images; else the recipe's.")
    ] = None,
    init: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Weights to begin with: a bundle, a checkpoint, timm's of a ViT."
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="Of the weights, the order, the pictures.")
    ] = 0,
    split_seed: Annotated[int, typer.Option(min=0, help="Of the parts that are cut.")] = 0,
    device: Annotated[
        str, typer.Option(metavar="NAME", help="cpu, cuda, or auto: a GPU where there is one.")
    ] = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Of the processors, at most; else all.")
    ] = None,
    runner: Annotated[
        str, typer.Option(metavar="NAME", help="Run profile: names of data, and a Ray cluster.")
    ] = "local",
    processes: Annotated[
        int, typer.Option(min=1, help="That train together, on the cluster of the run profile.")
    ] = 1,
    db: Annotated[
        str | None,
        typer.Option(
            "--db", metavar="URL", help="Keep the training there, and find it again, as a row."
        ),
    ] = None,
    log: Annotated[
        TrackerName | None,
        typer.Option(help="Keep the epochs for it, too, in DIR; never over the network by itself."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say what it will see and cost; train and write nothing."),
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Train one network, and leave it in a folder with all that it takes to use it.

    The same command starts, goes on after an interruption, or finds it finished. The bundle in the
    folder is for `archdsl predict` and `archdsl eval`; epochs.csv holds every epoch, curves.png
    shows them.
    """
    from archdsl.api.distributed import train_under
    from archdsl.api.sources import trainee_of
    from archdsl.cli.train_estimate import put_estimate
    from archdsl.cli.train_progress import TrainProgress
    from archdsl.training.world import started_world

    words = [each for each in sets or () if _is_of_recipe(steps_of(each)[0])]
    trainee = trainee_of(spec, [each for each in sets or () if each not in words])
    profile = read_profile(runner)
    asked: dict[str, Any] = {
        "spec": trainee,
        "data": data,
        "recipe": read_recipe(recipe, words),
        "epochs": epochs,
        "init": init,
        "seed": seed,
        "split_seed": split_seed,
        "device": device,
        "threads": threads,
    }
    if dry_run:
        from archdsl.api.run_training import estimate_training

        with _remedies():
            put_estimate(estimate_training(**asked, names=profile.data, say=say), as_json=as_json)
        return
    if output is None:
        raise WriteError("say where to train: -o DIR; or see what it will cost with --dry-run")
    with TrainProgress(output) as watch, _remedies():
        try:
            trained = train_under(
                profile,
                processes,
                watch=watch,
                **asked,
                folder=output,
                db=db,
                log=log,
            )
        except KeyboardInterrupt as interrupt:
            number = behind(interrupt).number
            # Of several processes the first knows how far they came.
            said = watch.interrupted() if started_world().first else "interrupted"
            raise Interruption(said, number=number) from None
    if not started_world().first:
        return  # the first of several processes speaks
    if as_json:
        print_json(_record(trained, output))
    else:
        _report(trained, output)


def _is_of_recipe(word: str) -> bool:
    """Whether the word, or what was probably meant by it, is one of recipes."""
    return nearest(word, [*ModelSpec.model_fields, *Recipe.model_fields]) in Recipe.model_fields


@contextmanager
def _remedies() -> Iterator[None]:
    """Adds to an error of data that do not fit what to type.

    Raises:
        DataError: with the settings that make the document fit the data.
    """
    try:
        yield
    except DataError as error:
        from archdsl.training.data.dataset import MisfitError

        if not isinstance(error, MisfitError):
            raise
        sets = " ".join(
            f"--set {shlex.quote(f'{word}={value}')}" for word, value in error.needed.items()
        )
        raise DataError(f"{error}\nto train this document on these data, add: {sets}") from None


def _record(trained: Trained, folder: Path) -> dict[str, object]:
    from archdsl.training.bundle import BUNDLE

    told = trained.bundle.record()
    return {
        "folder": str(folder),
        "bundle": str(folder / BUNDLE),
        "found": trained.found,
        **{name: told[name] for name in ("arch_id", "training", "scores", "certificate")},
    }


def _report(trained: Trained, folder: Path) -> None:
    from archdsl.training.bundle import BUNDLE

    bundle = trained.bundle
    if trained.found:
        put(f"found finished: {folder} (another --seed, --recipe or -o trains another)")
    images = bundle.training["data"]["images"]
    rows = [
        [
            each["quantity"],
            f"{each['value']:.2f} {each['unit']}",
            f"{each['low']:.2f} to {each['high']:.2f}",
            f"{images[each['protocol']['part']]} {each['protocol']['part']} images",
        ]
        for each in bundle.scores
    ]
    print_table(["score", "value", "95 %", "on"], rows)
    if "test" not in images:
        put("there is no test part: what stands here was not seen in training, and is no test")
    put(f"bundle  {folder / BUNDLE}")
