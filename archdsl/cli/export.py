"""`archdsl export`: found architectures as plain model documents."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archdsl.cli.handling import handled
from archdsl.cli.options import DEFAULT_DB, Db, Debug, Force, Json, Output, StudyName
from archdsl.cli.printing import print_json

if TYPE_CHECKING:
    from archdsl.store.store import Store

NAME = "export"
EXAMPLE = "Example: archdsl export --front -o found/   or: archdsl export 7 -o trial-7.yaml"


@handled
def command(
    what: Annotated[
        str | None,
        typer.Argument(metavar="[ARCH|TRIAL]", help="Number of a trial, or start of an arch_id."),
    ] = None,
    front: Annotated[bool, typer.Option("--front", help="Every member of the front.")] = False,
    output: Output = None,
    force: Force = False,
    db: Db = DEFAULT_DB,
    study: StudyName = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write architectures as documents that compile to the very same arch_id."""
    from archdsl.errors import ArchdslError
    from archdsl.store.store import open_store

    if what is None and not front:
        raise ArchdslError("say what to export: the number of a trial, an arch_id, or --front")
    if what is not None and front:
        raise ArchdslError(f"say what to export: either '{what}' or --front, not both")
    with open_store(db, create=False, read_only=True) as store:
        found = _front(store, study, db) if front else [_one(store, what or "", study, db)]
    written = _write(found, output, many=front, force=force)
    if as_json:
        print_json(
            {"files": [{"path": str(path), "arch_id": arch_id} for path, arch_id in written]}
        )
        return
    for path, arch_id in written:
        print(f"wrote {path} ({arch_id})")


def _one(store: Store, what: str, study: str | None, db: str) -> tuple[str, dict[str, Any], str]:
    from archdsl.cli.show import find

    architecture, trial = find(store, what, study, db=db)
    label = f"trial-{trial.number}" if trial else architecture.arch_id
    name = f"{architecture.spec['name']}-{label}"
    return name, dict(architecture.spec), architecture.arch_id


def _front(store: Store, study: str | None, db: str) -> list[tuple[str, dict[str, Any], str]]:
    from archdsl.cli.stores import pick_study
    from archdsl.errors import ArchdslError

    row = pick_study(store, study, db=db)
    members = store.front(row.id)
    if not members:
        raise ArchdslError(f"the front of '{row.name}' is empty: no trial is complete yet")
    found = []
    for trial in members:
        architecture = store.find_architecture(trial.arch_id)
        found.append((f"{row.name}-{trial.number}", dict(architecture.spec), trial.arch_id))
    return found


def _write(
    found: list[tuple[str, dict[str, Any], str]],
    output: Path | None,
    *,
    many: bool,
    force: bool,
) -> list[tuple[Path, str]]:
    """One file for each, all checked before any is written."""
    from archdsl.cli.writing import refuse_others, safe_stem
    from archdsl.document.text import read_text
    from archdsl.document.write import to_yaml
    from archdsl.errors import ArchdslError
    from archdsl.files import write_whole
    from archdsl.plan.read import check_model

    texts: dict[Path, str] = {}
    folder = output or Path()
    if many and folder.exists() and not folder.is_dir():
        raise ArchdslError(f"{folder} is a file; with --front, -o names a folder")
    if not many and output is not None and output.is_dir():
        raise ArchdslError(f"{output} is a folder; -o names the file to write")
    for name, spec, arch_id in found:
        path = folder / f"{safe_stem(name)}.yaml" if many or output is None else output
        text = to_yaml({**spec, "name": name})
        if check_model(read_text(text, source=str(path))).plan.arch_id != arch_id:
            raise ArchdslError(
                f"{name} would not compile to {arch_id} with this version of archdsl; "
                "export it with the version that found it"
            )
        texts[path] = text
    refuse_others({path: text.encode() for path, text in texts.items()}, force=force)
    if many:
        folder.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        write_whole(path, text)
    return list(zip(texts, (arch_id for _, _, arch_id in found), strict=True))
