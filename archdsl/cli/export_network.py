"""What `archdsl export --to` writes: a network for other engines, checked and timed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from archdsl.api.exporting import of_bundle, of_document, refuse_there, write_export
from archdsl.cli.export_files import bundle_of_trial, same_model
from archdsl.cli.printing import print_table, put, say
from archdsl.cli.show import NUMBER, find
from archdsl.cli.stores import existing_store, pick_study
from archdsl.document.messages import rounded
from archdsl.document.write import to_yaml
from archdsl.errors import ArchdslError, WeightsError
from archdsl.plan.read import read_model

if TYPE_CHECKING:
    from archdsl.compiler.export.taken import Taken


def write_network(
    what: str, to: str, folder: Path, *, seed: int | None, db: str, study: str | None, force: bool
) -> dict[str, Any]:
    """Write a network in some formats, and beside them scripts that classify and measure.

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
    refuse_there(folder, force=force)
    from archdsl.compiler.export.formats import chosen

    formats = chosen(to)
    taken = _taken(what, seed=seed, db=db, study=study)
    return {**write_export(taken, formats, folder, say=say), "folder": str(folder)}


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

        return of_bundle(load_bundle(path), weights=f"of the bundle {what}")
    spec = read_model(what).spec
    say(f"{spec.name} was not trained: its weights are fresh, and mean nothing")
    return of_document(spec, seed=seed or 0)


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
    return of_bundle(bundle, weights=f"of trial {what} of the study {row.name}")


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
