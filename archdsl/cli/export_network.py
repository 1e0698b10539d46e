"""What `archdsl export --to` writes: a network for other engines, checked and timed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from archdsl.cli.export_files import bundle_of_trial, same_model
from archdsl.cli.printing import print_table, put, say
from archdsl.cli.show import NUMBER, find
from archdsl.cli.stores import existing_store, pick_study
from archdsl.document.messages import rounded
from archdsl.document.write import to_yaml
from archdsl.errors import ArchdslError, WeightsError, WriteError
from archdsl.files import refuse_dash
from archdsl.plan.read import read_model

if TYPE_CHECKING:
    from archdsl.compiler.export.formats import Format
    from archdsl.compiler.export.taken import Taken
    from archdsl.records import Measurement
    from archdsl.training.bundle import Bundle

REPORT = "report.json"
MAX_SECONDS = 1.0
"""Of timed calls of the module, and of each engine."""
GREY = 127.5
"""Mean and deviation of levels, where no data say others: images are from -1 to 1."""


def write_network(
    what: str, to: str, folder: Path, *, seed: int | None, db: str, study: str | None, force: bool
) -> dict[str, Any]:
    """Write a network in some formats, and beside them a script that classifies a picture.

    Args:
        what: a bundle or the folder of a training, the number of a trial, or a model document.
        to: formats, with commas.
        folder: is there as a whole or not at all.
        seed: of the weights of a document; 0 unless given.
        db: where trials are.
        study: of the trial; the only one if None.
        force: replace files of these names where the folder is there.

    Returns:
        What `report.json` says, and `folder`.

    Raises:
        ArchdslError: the folder is there, there is no such format or network, its weights are NaN,
            an exporter fails, or what it wrote computes something else.
    """
    _refuse_there(folder, force=force)
    from archdsl.compiler.export.classify import NAME, script
    from archdsl.compiler.export.formats import chosen
    from archdsl.compiler.export.preprocessing import PREPROCESSING

    formats = chosen(to)
    taken = _taken(what, seed=seed, db=db, study=study)
    place = folder.absolute()
    # On its file system, so that a rename does.
    near = next(each for each in (place, *place.parents) if each.is_dir())
    with TemporaryDirectory(prefix=".export-", dir=near) as draft:
        inside = Path(draft) / "whole"
        inside.mkdir()
        report = _exported(taken, formats, inside)
        (inside / PREPROCESSING).write_text(_json(taken.preprocessing.record()), encoding="utf-8")
        (inside / NAME).write_text(script(next(iter(formats.values()))), encoding="utf-8")
        if "onnx" in formats:
            _write_bench(taken, inside)
        (inside / REPORT).write_text(_json(report), encoding="utf-8")
        _move(inside, folder)
    return {**report, "folder": str(folder)}


def _exported(taken: Taken, formats: Mapping[str, Format], folder: Path) -> dict[str, Any]:
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


def _refuse_there(folder: Path, *, force: bool) -> None:
    """
    Raises:
        WriteError: it is a file, or holds something and is not to be written into.
    """
    refuse_dash([folder])
    for place in (folder, *folder.parents):
        if place.exists() and not place.is_dir():
            raise WriteError(f"{place} is a file; with --to, -o names a folder")
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


def _taken(what: str, *, seed: int | None, db: str, study: str | None) -> Taken:
    """
    Raises:
        ArchdslError: there is nothing of that name, it has no weights, or has weights where a seed
            is given.
    """
    number = NUMBER.fullmatch(what) is not None
    path = Path(what).expanduser()
    trained = number or path.is_dir() or path.suffix == ".safetensors"
    if trained and seed is not None:
        raise ArchdslError(f"--seed draws the weights of a document, and {what} has its own")
    if number:
        return _of_trial(what, db=db, study=study)
    if trained:
        from archdsl.training.bundle import load_bundle

        return _of_bundle(load_bundle(path), weights=f"of the bundle {what}")
    return _of_document(what, seed=seed or 0)


def _of_document(what: str, *, seed: int) -> Taken:
    model = read_model(what)
    from archdsl.compiler.export.preprocessing import Preprocessing
    from archdsl.compiler.export.taken import Taken, fresh
    from archdsl.training.data.pictures import FULL_DEPTH

    channels, height, width = model.plan.image
    network = fresh(model.plan, seed=seed)
    network.spec = model.spec
    say(f"{model.spec.name} was not trained: its weights are fresh, and mean nothing")
    return Taken(
        network=network,
        name=model.spec.name,
        arch_id=model.plan.arch_id,
        weights=f"fresh, of seed {seed}, classifiers too",
        document=model.spec.document(),
        preprocessing=Preprocessing(
            class_names=[str(each) for each in range(model.plan.output.num_classes)],
            channels=channels,
            image_size=(height, width),
            crop_pct=1.0,
            depth=FULL_DEPTH,
            mean=(GREY,) * channels,
            std=(GREY,) * channels,
        ),
    )


def _of_trial(what: str, *, db: str, study: str | None) -> Taken:
    with existing_store(db) as store:
        row = pick_study(store, study, db=db)
        architecture, trial = find(store, what, study, db=db)
        name = f"{row.name}-{what}"
        text = to_yaml({**architecture.spec, "name": name})
        model = same_model(architecture, text, name=name, source=store.place)
        bundle = trial and bundle_of_trial(store, row, trial, spec=model.spec, certificate={})
    if not bundle:
        raise WeightsError(
            f"trial {what} of '{row.name}' was not trained, so it has no weights; its document can "
            f"be exported with fresh ones: archdsl export {what} -o trial.yaml, then archdsl "
            "export trial.yaml --to …"
        )
    return _of_bundle(bundle, weights=f"of trial {what} of the study {row.name}")


def _of_bundle(bundle: Bundle, *, weights: str) -> Taken:
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


def put_report(report: dict[str, Any]) -> None:
    """Print what was written."""
    put(f"{report['name']}  arch_id {report['arch_id']}  weights {report['weights']}")
    rows = [["module", "", "", "", _interval(report["module"]["latency"])]]
    for each in report["formats"]:
        names, size = ", ".join(each["files"]), f"{sum(each['files'].values()) / 1e6:.1f}"
        off, latency = f"{each['difference']:.1e}", _interval(each["latency"])
        rows.append([each["engine"], names, size, off, latency])
    print_table(["engine", "file", "MB", "off, of the largest logit", "ms for one image"], rows)
    fingerprint = report["protocol"]["fingerprint"]
    put(f"device  {fingerprint['name']}, threads {report['protocol']['threads']}")
    put(f"wrote {report['folder']}")


def _interval(latency: dict[str, Any]) -> str:
    steady = "" if latency["steady"] else " UNSTEADY"
    low, high = rounded(latency["low"]), rounded(latency["high"])
    return f"{rounded(latency['value'])} ({low} to {high}){steady}"
