"""Found architectures as model documents, members of a front with certificates beside them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archdsl.cli.show import find
from archdsl.cli.stores import pick_study
from archdsl.cli.writing import refuse_others, safe_stem
from archdsl.document.text import read_text
from archdsl.document.write import to_yaml
from archdsl.errors import ArchdslError
from archdsl.files import write_whole
from archdsl.plan.read import check_model
from archdsl.reporting.certificate import certificate
from archdsl.store.store import Store


@dataclass(frozen=True, kw_only=True)
class Export:
    """One architecture on its way to a file.

    Args:
        name: of the document.
        spec: the document.
        arch_id: what it must compile to.
        certificate: what is said of it beside, if anything.
    """

    name: str
    spec: Mapping[str, Any]
    arch_id: str
    certificate: Mapping[str, Any] | None = None

    @property
    def stem(self) -> str:
        """Of its files."""
        return safe_stem(self.name)


def one(store: Store, what: str, *, study: str | None, db: str) -> Export:
    """The architecture of a trial's number or of the start of an arch_id."""
    architecture, trial = find(store, what, study, db=db)
    label = f"trial-{trial.number}" if trial else architecture.arch_id
    name = f"{architecture.spec['name']}-{label}"
    return Export(name=name, spec=architecture.spec, arch_id=architecture.arch_id)


def members(store: Store, *, study: str | None, db: str) -> list[Export]:
    """Every member of a study's front, with its certificate."""
    row = pick_study(store, study, db=db)
    found = []
    for trial in store.trials.front(row.id):
        name = f"{row.name}-{trial.number}"
        architecture = store.architectures.find(trial.arch_id)
        text = certificate(store, row, trial, document=f"{safe_stem(name)}.yaml")
        found.append(
            Export(name=name, spec=architecture.spec, arch_id=trial.arch_id, certificate=text)
        )
    if not found:
        raise ArchdslError(f"the front of '{row.name}' is empty: no trial is complete yet")
    return found


def write_one(export: Export, output: Path | None, *, force: bool) -> list[dict[str, str]]:
    """Write a document, under its own name unless told another; path and identity of it."""
    if output is not None and output.is_dir():
        raise ArchdslError(f"{output} is a folder; -o names the file to write")
    path = output or Path(f"{export.stem}{DOCUMENT.suffix}")
    _write({path: DOCUMENT.content(export, path)}, force=force)
    return [{"path": str(path), "arch_id": export.arch_id}]


def write_members(exports: Sequence[Export], folder: Path, *, force: bool) -> list[dict[str, str]]:
    """Write each architecture in every format of `BESIDE_EACH_OTHER`; their paths and identities.
    All are checked before any is written."""
    if folder.exists() and not folder.is_dir():
        raise ArchdslError(f"{folder} is a file; with --front, -o names a folder")
    contents: dict[Path, bytes] = {}
    written = []
    for export in exports:
        paths = {
            name: folder / f"{export.stem}{each.suffix}" for name, each in BESIDE_EACH_OTHER.items()
        }
        for name, path in paths.items():
            contents[path] = BESIDE_EACH_OTHER[name].content(export, path)
        named = {name: str(path) for name, path in paths.items()}
        written.append({"path": named.pop("path"), "arch_id": export.arch_id, **named})
    _write(contents, force=force, folder=folder)
    return written


def _document(export: Export, path: Path) -> bytes:
    """The document, which is known to compile to the very same architecture."""
    text = to_yaml({**export.spec, "name": export.name})
    if check_model(read_text(text, source=str(path))).plan.arch_id != export.arch_id:
        raise ArchdslError(
            f"{export.name} would not compile to {export.arch_id} with this version of archdsl; "
            "export it with the version that found it"
        )
    return text.encode()


def _certificate(export: Export, path: Path) -> bytes:
    return (json.dumps(export.certificate, indent=2, ensure_ascii=False) + "\n").encode()


@dataclass(frozen=True, kw_only=True)
class Format:
    """What one file of an architecture is.

    Args:
        suffix: of the file, after the architecture's name.
        content: what it holds, by the architecture and the place of the file.
    """

    suffix: str
    content: Callable[[Export, Path], bytes]


DOCUMENT = Format(suffix=".yaml", content=_document)
BESIDE_EACH_OTHER: Mapping[str, Format] = {
    "path": DOCUMENT,
    "certificate": Format(suffix=".certificate.json", content=_certificate),
}
"""Name in the command's JSON to the format. A further format is one entry, and one module with the
function that makes its content."""


def _write(contents: Mapping[Path, bytes], *, force: bool, folder: Path | None = None) -> None:
    refuse_others(contents, force=force)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    for path, content in contents.items():
        write_whole(path, content)
