"""`archdsl doctor`: is everything here that the other commands need?"""

from __future__ import annotations

import importlib
import platform
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from archdsl.cli.doctor_profile import Finding, profile_findings
from archdsl.cli.handling import handled
from archdsl.cli.options import DEFAULT_DB, Db, Debug, Json
from archdsl.cli.printing import print_json, put_lines
from archdsl.cli.stores import existing_store
from archdsl.document.masking import masked_message
from archdsl.document.messages import counted
from archdsl.errors import ArchdslError

EXAMPLE = "Example: archdsl doctor --runner local"
PACKAGES = (
    "torch", "torchvision", "timm", "fvcore", "safetensors", "scikit-learn", "pydantic", "optuna",
    "sqlalchemy", "alembic", "matplotlib", "psutil",
)  # fmt: skip


_MEND = "mend these rows, or bring back a copy of the database"


@handled
def command(
    runner: Annotated[str, typer.Option(metavar="NAME", help="Run profile to look at.")] = "local",
    db: Db = DEFAULT_DB,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Look at Python, packages, devices, shelves, the run profile's data and the store.

    Exit code 1 when something is not well; each such line says what to do.
    """
    checks: list[Callable[[], list[Finding]]] = [
        _python,
        _packages,
        _devices,
        _shelves,
        lambda: profile_findings(runner),
        lambda: _store(db),
    ]
    findings = [
        replace(finding, found=masked_message(finding.found))
        for check in checks
        for finding in check()
    ]
    if as_json:
        print_json({"ok": all(f.ok for f in findings), "findings": [vars(f) for f in findings]})
    else:
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            put_lines(f"{'ok ' if finding.ok else 'BAD'}  {finding.name:<{width}}  {finding.found}")
            if not finding.ok:
                put_lines(f"     {'':<{width}}  remedy: {finding.remedy}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def _python() -> list[Finding]:
    fine = sys.version_info >= (3, 11)
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return [Finding(name="python", ok=fine, found=found, remedy="use Python 3.11 or newer")]


def _packages() -> list[Finding]:
    findings = []
    for name in PACKAGES:
        try:
            findings.append(Finding(name=name, ok=True, found=version(name)))
        except PackageNotFoundError:
            remedy = f"pip install {name}, or install archdsl again"
            findings.append(Finding(name=name, ok=False, found="missing", remedy=remedy))
    for name in ("torch", "timm"):
        if found := _import_failure(name):
            remedy = (
                "install a torch and torchvision made for each other (constraints.txt names a pair)"
            )
            findings.append(Finding(name=f"import {name}", ok=False, found=found, remedy=remedy))
    return findings


def _import_failure(name: str) -> str | None:
    try:
        importlib.import_module(name)
    except Exception as error:  # whatever a broken installation raises
        return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    return None


def _devices() -> list[Finding]:
    if _import_failure("torch"):
        return []
    from archdsl.measuring.devices import gpu_names
    from archdsl.measuring.fingerprint import cpu_name

    gpus = ", ".join(gpu_names()) or "none (latency and training run on the CPU)"
    return [
        Finding(name="cpu", ok=True, found=cpu_name()),
        Finding(name="gpus", ok=True, found=gpus),
    ]


def _shelves() -> list[Finding]:
    from archdsl.cli.check import summarise
    from archdsl.document.shelves import SHELVES, documents, packaged

    findings = []
    for shelf in SHELVES:
        paths = documents(packaged(shelf))
        bad = []
        for path in paths:
            try:
                summarise(path, [])
            except ArchdslError as error:
                bad.append(str(error))
        findings.append(
            Finding(
                name=f"{shelf}/",
                ok=bool(paths) and not bad,
                found=bad[0] if bad else f"{counted(len(paths), 'document')} in {packaged(shelf)}",
                remedy="install archdsl again: its own documents are missing or damaged",
            )
        )
    return findings


def _store(db: str) -> list[Finding]:
    from archdsl.searching.stored import unreadable
    from archdsl.store.errors import EmptyDatabaseError
    from archdsl.store.location import is_new_file, shown

    findings = [Finding(name="sqlite", ok=True, found=sqlite3.sqlite_version)]
    try:
        if is_new_file(db):
            found = f"no {shown(db)} yet; search makes it"
            return [*findings, Finding(name="store", ok=True, found=found)]
        with existing_store(db) as store:
            if damage := store.database.damages() or unreadable(store):
                found = "\n".join(map(str, damage))
                found = f"{shown(db)}: {counted(len(damage), 'damaged value')}\n{found}"
                return [*findings, Finding(name="store", ok=False, found=found, remedy=_MEND)]
            studies = store.studies.all()
            found = f"{shown(db)}: {counted(len(studies), 'study', 'studies')}"
        findings.append(Finding(name="store", ok=True, found=found))
    except EmptyDatabaseError:
        found = f"{shown(db)}: empty; search fills it"
        findings.append(Finding(name="store", ok=True, found=found))
    except ArchdslError as error:
        findings.append(Finding(name="store", ok=False, found=str(error), remedy=_other(db)))
    return findings


def _other(db: str) -> str:
    """What to do about a database that cannot be used."""
    from archdsl.store.location import locate

    try:
        path = locate(db).path
    except ArchdslError:
        path = None
    if path is None:
        return "see above; --db says which database, and who asks"
    if path.is_file():
        return "move the file away, or name another with --db"
    return "name a file in a folder that is there and can be written, with --db"
