"""One network trained in a folder: started, gone on with, or found finished."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import nn

from archdsl.document.messages import counted
from archdsl.document.write import to_yaml
from archdsl.files import write_whole
from archdsl.metrics import METRICS, on_test_images
from archdsl.records import Measurement
from archdsl.storage.folder import Folder
from archdsl.training.asked import Asked
from archdsl.training.bundle import (
    BUNDLE,
    Bundle,
    load_bundle,
)
from archdsl.training.data.dataset import Split, told_of
from archdsl.training.data.reading import Reading
from archdsl.training.device import cpu_threads, shared_lock, threads_for
from archdsl.training.loop import FitResult, evaluate, fit
from archdsl.training.optimizer import optimizer_remarks
from archdsl.training.preflight import training_seconds
from archdsl.training.run_folder import (
    ASKED,
    EPOCHS,
    MOST_SHOWN,
    Epoch,
    RunError,
    RunFolder,
    asked_in,
    read_epochs,
    refused,
    told_apart,
)
from archdsl.training.tasks import TASKS
from archdsl.training.tasks.task import Counts
from archdsl.training.watch import Meter, Watch
from archdsl.training.world import ALONE, World
from archdsl.version import __version__

TASK = TASKS["top1"]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a training left.

    Args:
        bundle: the network and all that goes with it.
        epochs: one after the other.
        found: whether it was finished before.
    """

    bundle: Bundle
    epochs: Sequence[Epoch]
    found: bool


def train_one(
    asked: Asked,
    *,
    folder: Path,
    device: torch.device,
    threads: int,
    environment: Mapping[str, Any],
    watch: Watch,
    known: Path | None = None,
    world: World = ALONE,
) -> Trained:
    """Train a network in a folder of its own, and leave a bundle there.

    A training that was interrupted goes on from its last epoch; one that is finished is found.
    More epochs than a finished one had are another training, as the learning rate falls otherwise
    from the first step on: it begins anew, and the finished one is kept in a folder beside it.

    Args:
        asked: what to train.
        folder: made where it is missing.
        device: where.
        threads: most of the processors that it may use.
        environment: what identifies the device and its software, for the certificate.
        watch: looks on.
        known: where the same training may lie finished already; it is then copied.
        world: of the processes that train it together. The first alone writes and speaks.

    Raises:
        DataError: the data do not fit the document or the teacher, or cannot be read.
        ArchdslError: a baseline takes no such images.
        RunError: the folder holds another training, or another process trains into it.
        NotEnoughMemoryError: it does not fit.
        DivergedError: a loss or gradient is infinite or not a number.
        DocumentError: the warm-up is longer than the training.
        WriteError: the folder cannot be written, or the disk is full.
        WeightsError: the bundle that is there, the teacher, or the file to begin with, is damaged,
            or nothing of that fits.
    """
    asked.check()
    run = RunFolder(folder)
    with run.held() if world.first else nullcontext():
        if world.share(world.first and _found(run, asked, watch, known)):
            bundle = load_bundle(run.path)
            _check_found(bundle, asked, run)
            if world.first:
                run.clear()
            kept = read_epochs(run / EPOCHS)
            return Trained(bundle=bundle, epochs=list(kept.values()), found=True)
        needed = asked.needed_bytes(TASK, device)  # refused before anything is written
        network = asked.begun(watch.say)
        watch.on_start(
            asked.spec.name,
            asked.record(),
            images=len(asked.dataset.train),
            device=device,
            needed_bytes=needed,
        )
        if world.first:
            _write_asked(run, asked)
        meter = Meter(run, watch, device)
        fewest = threads_for(
            asked.plan, batch=asked.recipe.images_at_once, most=threads, device=device
        )
        with cpu_threads(fewest):
            bundle = _trained(
                network, asked, run, meter, device=device, environment=environment, world=world
            )
        if world.first:
            bundle.write(run.path)
            run.clear()
        return Trained(bundle=bundle, epochs=meter.epochs, found=False)


def estimate_one(
    asked: Asked, *, device: torch.device, threads: int, say: Callable[[str], None]
) -> tuple[int, float]:
    """What a training will take, from some of its steps; nothing is written.

    Args:
        asked: what to train.
        device: where.
        threads: most of the processors that it may use.
        say: is told what it begins with, and what is done.

    Returns:
        Bytes of memory, at least, and seconds.

    Raises:
        ArchdslError: what `train_one` refuses of the network, the data and the recipe.
    """
    asked.check()
    needed, recipe = asked.needed_bytes(TASK, device), asked.recipe
    network = asked.begun(say)
    say(f"timing a few steps of a training of {asked.spec.name} …")
    fewest = threads_for(asked.plan, batch=recipe.images_at_once, most=threads, device=device)
    with cpu_threads(fewest):
        seconds = training_seconds(
            network, asked.spec, asked.dataset, task=TASK, recipe=recipe, device=device
        )
    return needed, seconds


def _write_asked(run: RunFolder, asked: Asked) -> None:
    write_whole(run / "document.yaml", to_yaml(asked.spec.document()))
    write_whole(run / "recipe.yaml", to_yaml(_recipe_document(asked)))
    write_whole(run / ASKED, json.dumps(asked.record(), indent=2, ensure_ascii=False) + "\n")


def _recipe_document(asked: Asked) -> dict[str, Any]:
    head = {"archdsl": 1, "kind": "recipe", "name": asked.spec.name}
    return {**head, **asked.recipe.model_dump(mode="json")}


def _check_found(bundle: Bundle, asked: Asked, run: RunFolder) -> None:
    """
    Raises:
        RunError: the bundle in the folder is of another training than the folder says.
    """
    training, record = bundle.training, asked.record()
    theirs = {word: training[word] for word in ("recipe", "seed", "split_seed")}
    theirs |= {"arch_id": bundle.record()["arch_id"], "document": bundle.spec.document()}
    theirs |= {"data": training["data"]["digest"], "init": record["init"]}
    lines = told_apart(theirs, record)
    if lines:
        said = "\n".join(f"  {line}" for line in lines[:MOST_SHOWN])
        raise RunError(
            f"{run / BUNDLE} was exchanged: it is of another training than {ASKED} beside it says\n"
            f"{said}\nbring it back, or name another folder with -o"
        )


def _found(run: RunFolder, asked: Asked, watch: Watch, known: Path | None) -> bool:
    """Whether the training is finished, here or in the folder that is known of.

    Raises:
        RunError: the folder holds another one.
    """
    there, record = run.asked(), asked.record()
    if there is None:
        if run.finished:
            raise RunError(
                f"{run.path} holds a bundle, and not what was asked for ({ASKED}); name another "
                "folder with -o"
            )
        if known is None or not (known / BUNDLE).is_file():
            return False
        elsewhere = asked_in(known)
        if elsewhere is None or told_apart(elsewhere, record):
            return False  # another one took its place
        watch.say(f"the same training lies finished in {known}, and is copied from there")
        run.adopt(known)
        return True
    lines = told_apart(there, record)
    if not lines:
        return run.finished
    before = there["recipe"].get("epochs", 0)
    longer = told_apart({**there, "recipe": {**there["recipe"], "epochs": None}}, record)
    if len(lines) > 1 or len(longer) > 1 or asked.recipe.epochs <= before:
        raise refused(run.path, lines)
    if not run.finished:
        raise RunError(
            f"{run.path} holds a training of {counted(before, 'epoch')} that is not finished; "
            f"{asked.recipe.epochs} epochs are another, whose learning rate falls more slowly from "
            "the first step on: let the first one finish, or name another folder with -o"
        )
    place = run.set_aside(f"{before}-epochs")
    watch.say(
        f"{before} epochs are finished; {asked.recipe.epochs} do not continue them: the "
        "learning rate falls more slowly from the first step on. So the training begins anew, and "
        f"ends as it would have without the first; that one is kept in {place}"
    )
    return False


def _trained(
    network: nn.Module,
    asked: Asked,
    run: RunFolder,
    meter: Meter,
    *,
    device: torch.device,
    environment: Mapping[str, Any],
    world: World,
) -> Bundle:
    result = fit(
        network,
        asked.dataset,
        task=TASK,
        recipe=asked.recipe,
        seed=asked.seed,
        device=device,
        storage=Folder(run.path),
        report=meter.on_report if world.first else lambda epoch, values: None,
        on_step=meter.on_step,
        world=world,
    )
    network.eval()
    scores = _scores("validation", result.counts, asked)
    if asked.dataset.test is not None:
        scores += _scores("test", _count(network, asked.dataset.test, asked, device, world), asked)
    return Bundle(
        network=network,
        spec=asked.spec,
        reading=Reading.of(asked.dataset),
        training=_training(asked, network, result),
        scores=[asdict(each) for each in scores],
        certificate={
            "archdsl": __version__,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "environment": dict(environment),
        },
    )


def _training(asked: Asked, network: nn.Module, result: FitResult) -> dict[str, Any]:
    splits = asked.dataset.splits().items()
    return {
        "recipe": asked.recipe.model_dump(mode="json"),
        "seed": asked.seed,
        "split_seed": asked.split_seed,
        "data": {
            "source": asked.dataset.name,
            "digest": asked.dataset.digest,
            "images": {part: len(split) for part, split in splits},
        },
        "init": asked.init and {"file": str(asked.init), "weights": asked.start_digest},
        "seconds": result.seconds,
        "remarks": [*told_of(asked.dataset), *optimizer_remarks(network, asked.recipe)],
        **({"history_without_ema": list(result.raw_history)} if result.raw_history else {}),
    }


def _count(
    network: nn.Module, split: Split, asked: Asked, device: torch.device, world: World
) -> Counts:
    lock = shared_lock(device, world)

    def give_way() -> None:
        [wanted] = world.any(lock.is_wanted())
        if wanted:
            lock.give_way()

    with lock:
        return evaluate(
            network,
            split,
            task=TASK,
            device=device,
            batch=asked.recipe.images_at_once,
            after_batch=give_way,
            world=world,
        )


def _scores(part: str, counts: Counts, asked: Asked) -> list[Measurement]:
    """Each metric that says something of so many classes, on a part of the data."""
    images, classes = len(asked.dataset.splits()[part]), asked.dataset.num_classes
    protocol = {
        "part": part,
        "data": asked.dataset.digest,
        "recipe": asked.recipe.model_dump(mode="json"),
        "seeds": [asked.seed],
        "split_seed": asked.split_seed,
    }
    found = []
    for metric in TASK.values(counts, images=images):
        if classes >= TASK.fewest_classes(metric):
            score = TASK.score(metric, counts, images=images)
            found.append(
                Measurement(
                    quantity=on_test_images(metric) if part == "test" else metric,
                    value=score.value,
                    low=score.low,
                    high=score.high,
                    unit=METRICS[metric].unit,
                    protocol=protocol,
                    detail={**score.counts, "count": images},
                )
            )
    return found
