"""One training with all that is around it: what `archdsl train` and `archdsl.train` share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archdsl.plan.baseline import Baseline, TimmName
from archdsl.plan.expand import expand
from archdsl.plan.facts import facts
from archdsl.spec.model import ModelSpec
from archdsl.training.trackers import TrackerName
from archdsl.usable_cores import usable_cores

if TYPE_CHECKING:
    from archdsl.training.asked import Asked
    from archdsl.training.bundle import Bundle
    from archdsl.training.data.dataset import Dataset
    from archdsl.training.recipe import Recipe
    from archdsl.training.run import Trained
    from archdsl.training.run_folder import Epoch
    from archdsl.training.watch import Watch


class Nobody:
    """Looks away; see `archdsl.training.watch.Watch`."""

    def say(self, sentence: str) -> None: ...

    def on_start(
        self,
        name: str,
        record: Mapping[str, Any],
        *,
        images: int,
        device: Any,
        needed_bytes: int,
    ) -> None: ...

    def on_step(self, loss: Any, images: int) -> None: ...

    def on_epoch(self, epoch: Epoch) -> None: ...


def run_training(
    spec: ModelSpec | Baseline | TimmName,
    *,
    data: str,
    names: Mapping[str, str] | None = None,
    recipe: str | Mapping[str, Any] | Recipe,
    epochs: int | None,
    init: Path | None,
    seed: int,
    split_seed: int,
    device: str,
    threads: int | None,
    folder: Path,
    watch: Watch,
    db: str | None = None,
    log: TrackerName | None = None,
) -> Trained:
    """See `archdsl.train`; `names` are data sets of a run profile, and `watch` looks on."""
    from archdsl.measuring.fingerprint import fingerprint
    from archdsl.training.data.dataset import told_of
    from archdsl.training.device import choose_device, cpu_threads
    from archdsl.training.run import train_one
    from archdsl.training.run_folder import CURVES
    from archdsl.training.trackers import tracked
    from archdsl.training.world import joined, started_world

    world = started_world()
    watch, db, log = (watch, db, log) if world.first else (Nobody(), None, None)
    chosen, most = choose_device(device), threads or usable_cores()
    with joined(world, chosen), cpu_threads(most), tracked(watch, log, folder) as watch:
        asked = _asked(
            spec,
            data=data,
            names=names,
            recipe=recipe,
            epochs=epochs,
            init=init,
            seed=seed,
            split_seed=split_seed,
        )
        for sentence in told_of(asked.dataset):
            watch.say(f"{asked.dataset.name}: {sentence}")
        trained = train_one(
            asked,
            folder=folder,
            device=chosen,
            threads=most,
            environment=fingerprint(chosen),
            watch=watch,
            known=_known(asked, db),
            world=world,
        )
    if not world.first:
        return trained
    if not (trained.found and (folder / CURVES).exists()):
        _draw(asked.spec.name, trained.epochs, folder / CURVES)
    if db is not None:
        _keep(asked, trained.bundle, folder, db)
    return trained


@dataclass(frozen=True, kw_only=True)
class TrainingEstimate:
    """What a training will take.

    Args:
        asked: the training.
        device: where it would run.
        needed_bytes: of memory, at least.
        seconds: without what it waits until others leave the device.
    """

    asked: Asked
    device: str
    needed_bytes: int
    seconds: float


def estimate_training(
    spec: ModelSpec | Baseline | TimmName,
    *,
    device: str,
    threads: int | None,
    say: Callable[[str], None],
    **words: Any,
) -> TrainingEstimate:
    """What `run_training` with the same words will take: some steps are timed, nothing is kept."""
    from archdsl.training.device import choose_device
    from archdsl.training.run import estimate_one

    asked = _asked(spec, **words)
    chosen = choose_device(device)
    needed, seconds = estimate_one(asked, device=chosen, threads=threads or usable_cores(), say=say)
    return TrainingEstimate(asked=asked, device=chosen.type, needed_bytes=needed, seconds=seconds)


def _asked(
    spec: ModelSpec | Baseline | TimmName,
    *,
    data: str,
    names: Mapping[str, str] | None,
    recipe: str | Mapping[str, Any] | Recipe,
    epochs: int | None,
    init: Path | None,
    seed: int,
    split_seed: int,
) -> Asked:
    """With the data opened."""
    from archdsl.training.asked import Asked
    from archdsl.training.data.source import open_data
    from archdsl.training.read import resolve_recipe

    found = resolve_recipe(recipe)
    if epochs is not None:
        found = resolve_recipe({**found.model_dump(), "epochs": epochs})
    dataset = open_data(
        data,
        names=names or {},
        split_seed=split_seed,
        image_size=_image_size(spec),
        broken=found.broken,
        crop_pct=found.crop_pct,
    )
    fitted = _fitted(spec, dataset)
    return Asked(
        spec=fitted,
        plan=fitted if isinstance(fitted, Baseline) else expand(fitted),
        dataset=dataset,
        recipe=found,
        seed=seed,
        split_seed=split_seed,
        init=init,
    )


def _image_size(spec: ModelSpec | Baseline | TimmName) -> tuple[int, int]:
    """What pictures of files are brought to."""
    if isinstance(spec, ModelSpec):
        return spec.image.size
    if isinstance(spec, Baseline):
        _, height, width = spec.image
        return height, width
    from archdsl.compiler.baseline import usual_size

    return spec.size or usual_size(spec.model)


def _fitted(spec: ModelSpec | Baseline | TimmName, dataset: Dataset) -> ModelSpec | Baseline:
    """A model of timm's for these images and classes; others as they are."""
    if not isinstance(spec, TimmName):
        return spec
    return Baseline(
        model=spec.model,
        image=(dataset.channels, *(spec.size or dataset.image_size)),
        num_classes=dataset.num_classes,
    )


def _known(asked: Asked, db: str | None) -> Path | None:
    """Where the training lies that a database knows; makes the database where there is none."""
    if db is None:
        return None
    from archdsl.store.store import open_store

    with open_store(db) as store:
        run = store.runs.find(asked.key)
    return None if run is None else Path(run.place)


def _keep(asked: Asked, bundle: Bundle, folder: Path, db: str) -> None:
    from archdsl.store.rows import Architecture, NewRun
    from archdsl.store.store import open_store

    plan, record, training = asked.plan, asked.record(), bundle.training
    if isinstance(plan, Baseline):
        from archdsl.measuring.baselines import architecture_of

        architecture = architecture_of(plan)
    else:
        architecture = Architecture(
            arch_id=plan.arch_id,
            spec=asked.spec.document(),
            plan=plan.canonical(),
            facts=facts(plan),
        )
    run = NewRun(
        key=asked.key,
        place=str(folder.absolute()),
        weights_digest=bundle.weights,
        protocol={
            "data": record["data"],
            "recipe": record["recipe"],
            "seeds": [asked.seed],
            "split_seed": asked.split_seed,
            "init": record["init"],
        },
        detail={
            "name": asked.spec.name,
            "source": record["source"],
            "scores": {each["quantity"]: each["value"] for each in bundle.scores},
            "images": training["data"]["images"],
            "train_seconds": training["seconds"],
        },
        begun_with=asked.start_digest,
    )
    with open_store(db) as store:
        store.runs.add(architecture, run)


def _draw(name: str, epochs: Sequence[Epoch], path: Path) -> None:
    from archdsl.metrics import TRAINED
    from archdsl.reporting.plots.plot_files import write_figure
    from archdsl.reporting.plots.training_plot import plot_training

    metric = TRAINED[0]
    figure = plot_training(
        name,
        loss=[(each.epoch, each.loss) for each in epochs if each.loss is not None],
        metric=metric,
        values=[(each.epoch, each.values[metric]) for each in epochs if metric in each.values],
    )
    write_figure(figure, path)
