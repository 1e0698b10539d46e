"""`archdsl show`: a document, an architecture or a trial, whole."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archdsl.analysis.aggregate import interval_over, intervals_over
from archdsl.cli.handling import handled
from archdsl.cli.layer_lines import layer_lines
from archdsl.cli.options import DEFAULT_DB, Db, Debug, Force, Json, StudyName
from archdsl.cli.printing import print_json, put, say
from archdsl.cli.stores import existing_store, pick_study
from archdsl.cli.writing import write_files
from archdsl.document.messages import rounded
from archdsl.document.shelves import find as find_document
from archdsl.document.tree import tree_of
from archdsl.document.write import to_yaml
from archdsl.errors import ArchdslError, NameNotFoundError
from archdsl.plan.facts import facts
from archdsl.plan.influence import influence
from archdsl.plan.read import Checked, check_model, read_model
from archdsl.printable import clean
from archdsl.records import Measurement
from archdsl.reporting.drawing.diagram import diagram_svg
from archdsl.reporting.drawing.diagram_text import diagram_text
from archdsl.reporting.drawing.layer_table import layer_table
from archdsl.reporting.formatting import values_record
from archdsl.store.rows import Architecture, Trial

if TYPE_CHECKING:
    from archdsl.measuring.time_breakdown import PartTimes
    from archdsl.store.store import Store

EXAMPLE = (
    "Example: archdsl show vittm-b-32-16 --diagram vittm.svg   (a document), archdsl show 7   "
    "(trial 7), or: archdsl show 482fb4a8   (an arch_id)"
)
NUMBER = re.compile(r"[0-9]{1,6}")
_IDENTITY = re.compile(r"[0-9a-f]*")


@handled
def command(
    what: Annotated[
        str,
        typer.Argument(
            metavar="SPEC|ARCH|TRIAL",
            help="A file or name of a model document, the number of a trial, or the start of an "
            "arch_id.",
        ),
    ],
    diagram: Annotated[
        Path | None,
        typer.Option("--diagram", metavar="FILE.svg", help="Write the drawing as SVG."),
    ] = None,
    timed: Annotated[
        bool, typer.Option("--time", help="Measure the share of the time each layer takes.")
    ] = False,
    batch: Annotated[
        int | None, typer.Option(min=1, max=65_536, help="With --time: images per call (1).")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="With --time: cpu (unless given), cuda, or a part of a GPU's name."),
    ] = None,
    force: Force = False,
    db: Db = DEFAULT_DB,
    study: StudyName = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Show a model: its drawing, its layers, what is known and measured of it, its document.

    One to six digits are the number of a trial (write ./7 for a file of that name); a file that
    exists or a name on the specs/ shelf is a document; anything else is the start of an arch_id.
    All that is printed is a model document again: what is not part of it stands behind a #.
    """
    if not timed and (batch or device):
        raise ArchdslError("--batch and --device have an effect only with --time")
    shown = _found(what, db=db, study=study)
    written = _write_diagram(shown, diagram, force=force) if diagram else None
    times = _times(shown.model, device=device or "cpu", batch=batch or 1) if timed else None
    if as_json:
        print_json(_json(shown, times, written))
    else:
        _print(shown, times, written)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A model, and what a store knows of it."""

    model: Checked
    architecture: Architecture | None = None
    trial: Trial | None = None
    measurements: tuple[Measurement, ...] = ()
    over: Mapping[str, str] = field(default_factory=dict)

    @property
    def arch_id(self) -> str:
        """Of the store's architecture, or what the document compiles to."""
        return self.architecture.arch_id if self.architecture else self.model.plan.arch_id


def _found(what: str, *, db: str, study: str | None) -> Shown:
    if not NUMBER.fullmatch(what) and _is_document(what):
        return Shown(model=read_model(what))
    with existing_store(db) as store:
        architecture, trial = find(store, what, study, db=db)
        measurements = tuple(store.measurements.of_arch(architecture.arch_id))
        over = intervals_over(store.samples.of_trial(trial.id)) if trial else {}
    model = check_model(tree_of(architecture.spec, source=f"{store.place}: {architecture.arch_id}"))
    return Shown(
        model=model, architecture=architecture, trial=trial, measurements=measurements, over=over
    )


def _is_document(what: str) -> bool:
    """Whether a word that is no number names a document.

    Raises:
        NameNotFoundError: it names none, and is no start of an arch_id either.
    """
    try:
        find_document(what, "specs")
    except NameNotFoundError as error:
        if _IDENTITY.fullmatch(what):
            return False
        raise NameNotFoundError(
            f"{error} (nor is it a number or the start of an arch_id)"
        ) from None
    return True


def find(
    store: Store, what: str, study: str | None, *, db: str
) -> tuple[Architecture, Trial | None]:
    """The architecture of a trial's number or of the start of an arch_id.

    Raises:
        ArchdslError: nothing of that name, or a module.
    """
    if not NUMBER.fullmatch(what):
        architecture = store.architectures.find(what)
        store.refuse_damaged(arch_id=architecture.arch_id)
        if architecture.kind == "module":
            raise ArchdslError(
                f"{architecture.arch_id} is {architecture.label}, a module that was measured: it "
                f"has no document, and nothing is known of it but {_measured(store, architecture)}"
            )
        return architecture, None
    study_id, number = pick_study(store, study, db=db).id, int(what)
    store.refuse_damaged(study_id=study_id, number=number)
    trial = store.trials.get(study_id, number)
    return store.architectures.find(trial.arch_id), trial


def _measured(store: Store, architecture: Architecture) -> str:
    return ", ".join(
        f"{each.quantity} {rounded(each.value)} {each.unit} "
        f"({rounded(each.low)} to {rounded(each.high)})"
        for each in store.measurements.of_arch(architecture.arch_id)
    )


def _write_diagram(shown: Shown, path: Path, *, force: bool) -> Path:
    if path.suffix.lower() != ".svg":
        raise ArchdslError(f"cannot draw into {path}: say a file that ends in .svg")
    drawn = diagram_svg(shown.model.plan, name=shown.model.spec.name).encode()
    write_files({path: drawn}, force=force)
    return path


def _times(model: Checked, *, device: str, batch: int) -> PartTimes:
    from archdsl.measuring.time_breakdown import measure_parts

    say(f"timing the parts of {model.spec.name} …")
    return measure_parts(model.plan, device=device, batch=batch)


def _print(shown: Shown, times: PartTimes | None, written: Path | None) -> None:
    for line in _lines(shown, times):
        put(f"# {line}".rstrip())
    if written:
        say(f"wrote {written}")
    print(to_yaml(_document(shown)), end="")


def _lines(shown: Shown, times: PartTimes | None) -> list[str]:
    """Everything but the document."""
    plan, trial = shown.model.plan, shown.trial
    lines = [f"arch_id {shown.arch_id}"]
    if trial:
        reason = f": {clean(trial.reason)}" if trial.reason else ""
        lines.append(f"trial {trial.number}, {trial.state.value}{reason}")
    for name, value in _facts(shown).items():
        said = " (LayerNorms at 5 an element)" if name == "macs" else ""
        lines.append(f"{name}: {value:g}" if isinstance(value, float) else f"{name}: {value}{said}")
    lines += influence(plan).sentences()
    lines += [
        f"{each.quantity}: {rounded(each.value)} {each.unit} "
        f"(95 % interval {rounded(each.low)} to {rounded(each.high)}"
        f"{' over ' * bool(over)}{over})"
        for each in shown.measurements
        for over in [interval_over([each])]
    ]
    drawn = diagram_text(plan)
    try:
        "".join(drawn).encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        drawn = diagram_text(plan, plain=True)
    return [*lines, "", *drawn, "", *layer_lines(layer_table(plan), times), ""]


def _json(shown: Shown, times: PartTimes | None, written: Path | None) -> dict[str, Any]:
    plan = shown.model.plan
    return {
        "arch_id": shown.arch_id,
        "name": shown.model.spec.name,
        "trial": _trial_json(shown.trial, shown.over) if shown.trial else None,
        "spec": _document(shown),
        "facts": _facts(shown),
        "measurements": [
            {**vars(each), "protocol": dict(each.protocol), "detail": dict(each.detail)}
            for each in shown.measurements
        ],
        "diagram": str(written) if written else None,
        "drawing": diagram_text(plan),
        "layers": layer_table(plan).plain(times.shares if times else None),
        "time": {**vars(times), "shares": dict(times.shares)} if times else None,
    }


def _document(shown: Shown) -> dict[str, Any]:
    return dict(shown.architecture.spec) if shown.architecture else shown.model.spec.document()


def _facts(shown: Shown) -> dict[str, Any]:
    return dict(shown.architecture.facts) if shown.architecture else dict(facts(shown.model.plan))


def _trial_json(trial: Trial, over: Mapping[str, str]) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": trial.state.value,
        "reason": trial.reason,
        "params": dict(trial.params),
        "seconds": trial.seconds,
        "values": values_record(trial.values, over),
    }
