"""A network for other engines: what `archdsl export --to` and `archdsl.export` share."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeGuard, cast

from archdsl.api.sources import SEED, Document, is_network, spec_of
from archdsl.arguments import arguments
from archdsl.arguments.kinds import instance, several, where
from archdsl.errors import WriteError
from archdsl.files import refuse_dash
from archdsl.plan.expand import expand
from archdsl.spec.model import ModelSpec

if TYPE_CHECKING:
    from archdsl.compiler.export.formats import Format
    from archdsl.compiler.export.taken import Taken
    from archdsl.nn.network import Network
    from archdsl.records import Measurement
    from archdsl.training.bundle import Bundle

REPORT = "report.json"
MAX_SECONDS = 1.0
"""Of timed calls of the module, and of each engine."""
GREY = 127.5
"""Mean and deviation of levels, where no data say others: images are from -1 to 1."""


def _is_bundle(value: object) -> TypeGuard[Bundle]:
    made = sys.modules.get("archdsl.training.bundle")  # not imported: then there is none
    return made is not None and isinstance(value, made.Bundle)


@arguments(
    model=where(
        lambda value: (
            isinstance(value, (str, Path, Mapping, ModelSpec))
            or is_network(value)
            or _is_bundle(value)
        ),
        wanted="a network to export; give a bundle of archdsl.load_bundle or archdsl.train, a "
        "network of archdsl.compile, or the name, path or words of a document",
    ),
    to=several(separator=",", wanted="formats; give 'onnx,torch', or a list of such"),
    folder=instance(str, Path, wanted="a folder; give its path"),
    seed=SEED,
)
def export(
    model: Bundle | Network | ModelSpec | Document,
    *,
    to: str | Sequence[str],
    folder: str | Path,
    seed: int = 0,
    force: bool = False,
) -> dict[str, Any]:
    """Write a network for other engines, checked and timed, as `archdsl export --to` does.

    Args:
        model: a bundle, with its weights and its classes; a network of `archdsl.compile`, with the
            weights that it has; or a document, with fresh ones.
        to: `source`, `onnx`, `torch`, or several of them.
        folder: is there as a whole or not at all.
        seed: of the weights of a document.
        force: replace files of these names where the folder is there.

    Returns:
        What `report.json` in the folder says: of each format its files, how far its answers are
        off, and its latency beside the module's.

    Raises:
        NameNotFoundError: no document of that name.
        DocumentError: every problem of the document.
        ArchdslError: the folder is there, there is no such format, weights are NaN, an exporter
            fails, or what it wrote computes something else.
    """
    refuse_there(Path(folder), force=force)
    from archdsl.compiler.export.formats import chosen

    formats = chosen(",".join(to))
    if _is_bundle(model):
        taken = of_bundle(model, weights="of a bundle")
    elif is_network(model):
        taken = _of_network(model)
    else:
        taken = of_document(spec_of(cast("Document | ModelSpec", model)), seed=seed)
    return write_export(taken, formats, Path(folder), say=lambda sentence: None)


def write_export(
    taken: Taken, formats: Mapping[str, Format], folder: Path, *, say: Callable[[str], None]
) -> dict[str, Any]:
    """Write a network in some formats, and beside them scripts that classify and measure.

    Args:
        taken: the network.
        formats: by their names.
        folder: is there as a whole or not at all.
        say: is told what is done.

    Returns:
        What `report.json` says.
    """
    from archdsl.compiler.export.classify import NAME, script
    from archdsl.compiler.export.preprocessing import PREPROCESSING

    place = folder.absolute()
    # On its file system, so that a rename does.
    near = next(each for each in (place, *place.parents) if each.is_dir())
    with TemporaryDirectory(prefix=".export-", dir=near) as draft:
        inside = Path(draft) / "whole"
        inside.mkdir()
        report = _exported(taken, formats, inside, say)
        (inside / PREPROCESSING).write_text(_json(taken.preprocessing.record()), encoding="utf-8")
        (inside / NAME).write_text(script(next(iter(formats.values()))), encoding="utf-8")
        if "onnx" in formats:
            _write_bench(taken, inside)
        (inside / REPORT).write_text(_json(report), encoding="utf-8")
        _move(inside, folder)
    return report


def _exported(
    taken: Taken, formats: Mapping[str, Format], folder: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    """Write each format; what the report says of them, beside the module."""
    from archdsl.compiler.export.export import export
    from archdsl.measuring.conditions import Conditions
    from archdsl.measuring.latency import measure_latency

    timed = partial(
        measure_latency,
        image_shape=taken.preprocessing.image_shape,
        conditions=Conditions(device="cpu", batch=1, heads="predicted", max_seconds=MAX_SECONDS),
    )
    module = timed(taken.network)
    rows = []
    for name, each in formats.items():
        say(f"exporting {taken.name} to {name} …")
        made = export(taken, name, each, folder)
        rows.append(
            {
                "format": name,
                "files": {path.name: path.stat().st_size for path in made.files},
                "engine": each.engine(),
                "difference": made.difference,
                "latency": _told(timed(made.engine)),
            }
        )
    return {
        "name": taken.name,
        "arch_id": taken.arch_id,
        "weights": taken.weights,
        "module": {"latency": _told(module)},
        "formats": rows,
        "protocol": dict(module.protocol),
    }


def _write_bench(taken: Taken, folder: Path) -> None:
    """What measures it where archdsl is not."""
    from archdsl.compiler.export.onnx_file import FILE
    from archdsl.measuring.benched import NAME, script

    text = script(
        name=taken.name,
        arch_id=taken.arch_id,
        document=taken.document,
        image_shape=taken.preprocessing.image_shape,
        model=(folder / FILE).read_bytes(),
    )
    (folder / NAME).write_text(text, encoding="utf-8")


def refuse_there(folder: Path, *, force: bool) -> None:
    """See that an export may be written there.

    Raises:
        WriteError: it is a file, or holds something and is not to be written into.
    """
    refuse_dash([folder])
    for place in (folder, *folder.parents):
        if place.exists() and not place.is_dir():
            raise WriteError(f"{place} is a file; name a folder")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise WriteError(
            f"the folder {folder} is there and holds something; replace the files of an export in "
            "it with --force, or name another"
        )


def _move(inside: Path, folder: Path) -> None:
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        inside.rename(folder)
        return
    for path in sorted(inside.iterdir()):
        path.replace(folder / path.name)


def of_document(spec: ModelSpec, *, seed: int) -> Taken:
    """With fresh weights, classifiers too, which mean nothing."""
    from archdsl.compiler.export.taken import fresh

    network = fresh(expand(spec), seed=seed)
    network.spec = spec
    return _untrained(network, f"fresh, of seed {seed}, classifiers too")


def _of_network(network: Network) -> Taken:
    from archdsl.measuring.copies import copy_of

    spec_of(network)  # refuses one that is no longer what its document says
    copied = copy_of(network).cpu().eval()
    assert is_network(copied)
    return _untrained(copied, "as they were handed in")


def _untrained(network: Network, weights: str) -> Taken:
    """Of which nobody says what images are like, or classes."""
    from archdsl.compiler.export.preprocessing import Preprocessing
    from archdsl.compiler.export.taken import Taken
    from archdsl.training.data.pictures import FULL_DEPTH

    plan, spec = network.plan, spec_of(network)
    channels, height, width = plan.image
    return Taken(
        network=network,
        name=spec.name,
        arch_id=plan.arch_id,
        weights=weights,
        document=spec.document(),
        preprocessing=Preprocessing(
            class_names=[str(each) for each in range(plan.output.num_classes)],
            channels=channels,
            image_size=(height, width),
            crop_pct=1.0,
            depth=FULL_DEPTH,
            mean=(GREY,) * channels,
            std=(GREY,) * channels,
        ),
    )


def of_bundle(bundle: Bundle, *, weights: str) -> Taken:
    """With what it says of its images.

    Args:
        bundle: of a training.
        weights: where they are from, in words.
    """
    from archdsl.compiler.export.preprocessing import Preprocessing
    from archdsl.compiler.export.taken import Taken

    reading = bundle.reading
    return Taken(
        network=bundle.network,
        name=bundle.spec.name,
        arch_id=bundle.record()["arch_id"],
        weights=f"{weights} (digest {bundle.weights[:16]})",
        document=bundle.spec.document(),
        preprocessing=Preprocessing(
            class_names=reading.class_names,
            channels=reading.channels,
            image_size=reading.image_size,
            crop_pct=reading.crop_pct,
            depth=reading.depth,
            mean=reading.normalisation.mean,
            std=reading.normalisation.std,
        ),
    )


def _told(latency: Measurement) -> dict[str, Any]:
    return {
        "value": latency.value,
        "low": latency.low,
        "high": latency.high,
        "unit": latency.unit,
        "steady": latency.detail["steady"],
    }


def _json(told: Any) -> str:
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"
