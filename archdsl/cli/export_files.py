"""What `archdsl export` writes: model documents, certificates beside them, whole studies."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import track

from archdsl.cli.printing import say
from archdsl.cli.show import find
from archdsl.cli.stores import pick_study
from archdsl.cli.writing import safe_stem, write_files
from archdsl.document.text import read_text
from archdsl.document.write import to_yaml
from archdsl.errors import ArchdslError, WeightsError
from archdsl.files import refuse_in_use
from archdsl.plan.read import Checked, check_model, read_model
from archdsl.reporting.certificate import certificate
from archdsl.reporting.trials_table import csv_table, parquet_table, trial_columns
from archdsl.searching.final_score import final_score
from archdsl.searching.stored import ListedTrial, list_trials, refuse_damaged
from archdsl.spec.model import ModelSpec
from archdsl.store.rows import Architecture, StudyRow, Trial
from archdsl.store.store import Store
from archdsl.store.weights import PLACE

if TYPE_CHECKING:
    from archdsl.training.bundle import Bundle

Written = list[dict[str, str]]
"""For each architecture or file its paths, and of what they are."""
SUFFIX = ".yaml"


def write_one(
    store: Store, what: str, output: Path | None, *, study: str | None, db: str, force: bool
) -> Written:
    """Write the architecture of a trial's number or of the start of an arch_id.

    Args:
        store: where it is.
        what: number or start.
        output: the document, under its own name unless given.
        study: of the trial; the only one if None.
        db: what the database is called.
        force: replace what holds something else.
    """
    architecture, trial = find(store, what, study, db=db)
    label = f"trial-{trial.number}" if trial else architecture.arch_id
    name = f"{architecture.spec['name']}-{label}"
    if output is not None and output.is_dir():
        raise ArchdslError(f"{output} is a folder; -o names the file to write")
    path = output or Path(f"{safe_stem(name)}{SUFFIX}")
    write_files({path: _document(architecture, name, path)}, force=force)
    return [{"path": str(path), "arch_id": architecture.arch_id}]


def write_members(
    store: Store, folder: Path, *, study: str | None, db: str, force: bool
) -> Written:
    """Write every member of a study's front with its certificate, and a bundle where it was
    trained; documents and certificates are all made before any is written."""
    row = pick_study(store, study, db=db)
    refuse_damaged(store, row)
    members = store.trials.front(row.id)
    if not members:
        raise ArchdslError(f"the front of '{row.name}' is empty: no trial is complete yet")
    if folder.exists() and not folder.is_dir():
        raise ArchdslError(f"{folder} is a file; with --front, -o names a folder")
    contents: dict[Path, bytes] = {}
    written = []
    for trial in members:
        name = f"{row.name}-{trial.number}"
        path = folder / f"{safe_stem(name)}{SUFFIX}"
        beside = path.with_suffix(".certificate.json")
        contents[path] = _document(store.architectures.find(trial.arch_id), name, path)
        told = certificate(store, row, trial, document=path.name)
        contents[beside] = (json.dumps(told, indent=2, ensure_ascii=False) + "\n").encode()
        written.append({"path": str(path), "arch_id": trial.arch_id, "certificate": str(beside)})
    write_files(contents, force=force, folder=folder)
    for trial, each in zip(members, written, strict=True):
        _write_bundle(store, row, trial, each, force=force)
    return written


def _write_bundle(
    store: Store, row: StudyRow, trial: Trial, written: dict[str, str], *, force: bool
) -> None:
    """Write the bundle of a member that was trained beside its document; `written` gains it."""
    document = Path(written["path"])
    path = document.with_suffix(".safetensors")
    certificate = json.loads(Path(written["certificate"]).read_text(encoding="utf-8"))
    spec = read_model(written["path"]).spec
    try:
        bundle = bundle_of_trial(store, row, trial, spec=spec, certificate=certificate)
    except WeightsError as error:
        say(f"no bundle of {document.stem}: {error}")
        return
    if bundle is not None:
        write_files({path: bundle.content()}, force=force)
        written["bundle"] = str(path)


def bundle_of_trial(
    store: Store, row: StudyRow, trial: Trial, *, spec: ModelSpec, certificate: Mapping[str, Any]
) -> Bundle | None:
    """The trained network of a trial; None where it was not trained.

    Raises:
        WeightsError: its weights are not there, damaged, or of a version of archdsl that did not
            write down what their classes are.
    """
    behind = store.measurements.of_trial(trial.id)
    trained = [each for each in behind.values() if PLACE in each.detail]
    if not trained:
        return None
    # Only here: what is in tables needs no torch.
    from archdsl.training.trained_weights import bundle_of

    return bundle_of(
        spec,
        trained[0],
        source=row.document["evaluate"][trained[0].quantity]["data"],
        folder=store.folder,
        scores=[*trained, *final_score(store, trial).values()],
        certificate=certificate,
    )


def write_tables(
    store: Store,
    *,
    study: str | None,
    db: str,
    optuna: Path | None,
    csv: Path | None,
    parquet: Path | None,
    force: bool,
) -> Written:
    """Write all trials of a study to each file that is named; all are made before any is written.

    Raises:
        WriteError: a file is there that holds something else, or one cannot be written.
        ArchdslError: a package that is needed is not installed.
    """
    refuse_in_use([path for path in (csv, parquet, optuna) if path])
    row = pick_study(store, study, db=db)
    trials = list_trials(store, row)
    columns = trial_columns(row, trials)
    contents: dict[Path, bytes] = {}
    if csv:
        contents[csv] = csv_table(columns).encode()
    if parquet:
        contents[parquet] = parquet_table(columns)
    if optuna:
        from archdsl.searching.optuna_file import optuna_file

        contents[optuna] = optuna_file(row, _watched(trials))
    write_files(contents, force=force)
    return [{"path": str(path), "study": row.name} for path in contents]


def _document(architecture: Architecture, name: str, path: Path) -> bytes:
    """The document, which is known to compile to the very same architecture."""
    text = to_yaml({**architecture.spec, "name": name})
    same_model(architecture, text, name=name, source=str(path))
    return text.encode()


def same_model(architecture: Architecture, text: str, *, name: str, source: str) -> Checked:
    """What the text of an architecture is read as.

    Raises:
        ArchdslError: this version of archdsl makes another architecture of it.
    """
    model = check_model(read_text(text, source=source))
    if model.plan.arch_id != architecture.arch_id:
        raise ArchdslError(
            f"{name} would not compile to {architecture.arch_id} with this version of archdsl; "
            "export it with the version that found it"
        )
    return model


def _watched(trials: Sequence[ListedTrial]) -> Iterable[ListedTrial]:
    """The trials, with a bar on a terminal: Optuna takes its time."""
    return track(
        trials,
        description="trials for Optuna",
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
