"""A whole study in the files of other tools."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from archdsl.cli.stores import pick_study
from archdsl.cli.writing import refuse_others
from archdsl.files import write_whole
from archdsl.reporting.trials_table import csv_table, parquet_table, trial_columns
from archdsl.searching.stored import ListedTrial, list_trials
from archdsl.store.store import Store


def write_tables(
    store: Store,
    *,
    study: str | None,
    db: str,
    optuna: Path | None,
    csv: Path | None,
    parquet: Path | None,
    force: bool,
) -> list[dict[str, str]]:
    """Write all trials of a study to each file that is named; all are made before any is written.

    Raises:
        WriteError: a file is there that holds something else, or one cannot be written.
        ArchdslError: a package that is needed is not installed.
    """
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
    refuse_others(contents, force=force)
    for path, content in contents.items():
        write_whole(path, content)
    return [{"path": str(path), "study": row.name} for path in contents]


def _watched(trials: Sequence[ListedTrial]) -> Iterable[ListedTrial]:
    """The trials, with a bar on a terminal: Optuna takes its time."""
    return track(
        trials,
        description="trials for Optuna",
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
