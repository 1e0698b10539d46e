"""`archdsl confirm`: a front's members trained in full, and what became of what was found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archdsl.cli.handling import handled
from archdsl.cli.options import DEFAULT_DB, Db, Debug, Json
from archdsl.cli.printing import print_json, print_table, put, say
from archdsl.cli.process import Interruption, behind
from archdsl.cli.stores import opened_study
from archdsl.document.messages import counted
from archdsl.metrics import METRICS
from archdsl.reporting.formatting import number, with_interval
from archdsl.runners.read import read_profile

if TYPE_CHECKING:
    from archdsl.api.confirmation import Confirmation, Confirmed
    from archdsl.cli.train_progress import TrainProgress

EXAMPLE = "Example: archdsl confirm --seeds 3"


@handled
def command(
    study: Annotated[
        str | None, typer.Argument(metavar="[STUDY]", help="Its name, where there are several.")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(metavar="NAME", help="A recipe's name or file; else the study's.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="digits, folder:DIR, csv:FILE, npz:FILE, wds/PATH, hfds/PATH; else the study's.",
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, max=100, help="Trainings of each member, with other seeds.")
    ] = 3,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over the images; else the recipe's.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Where to; else confirmed/STUDY."),
    ] = None,
    db: Db = DEFAULT_DB,
    runner: Annotated[str, typer.Option(metavar="NAME", help="Run profile with names.")] = "local",
    device: Annotated[
        str, typer.Option(metavar="NAME", help="cpu, cuda, or auto: a GPU where there is one.")
    ] = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Of the processors, at most; else all.")
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Train the members of a study's front in full, with seeds that the search did not use.

    The best of many candidates looks better than it is, by luck of its seed and its few epochs;
    here that luck is drawn anew. The same command goes on after an interruption. The study's
    baselines are trained so, too. Each network is left as a bundle.
    """
    from archdsl.api.confirmation import confirm_members, plan_of
    from archdsl.reporting.front import read_front

    with opened_study(db, study) as (store, row):
        plan = plan_of(read_front(store, row), recipe=recipe, data=data, seeds=seeds)
    folder = output or Path("confirmed", row.name)
    found = confirm_members(
        plan,
        names=read_profile(runner).data,
        epochs=epochs,
        device=device,
        threads=threads,
        folder=folder,
        watching=_Watching(plan),
    )
    if as_json:
        members = [_record(each) for each in found if not each.baseline]
        baselines = [_record(each) for each in found if each.baseline]
        told = {"study": row.name, "folder": str(folder), "members": members}
        print_json({**told, **({"baselines": baselines} if baselines else {})})
    else:
        _put(plan, found, folder)


class _Watching:
    """Says which training of how many begins, and shows it."""

    def __init__(self, plan: Confirmation) -> None:
        trained = len(plan.members) + len(plan.baselines)
        self._told: set[str] = set()
        self._begun, self._of = 0, trained * len(plan.seeds)

    @contextmanager
    def __call__(self, name: str, seed: int, folder: Path) -> Iterator[TrainProgress]:
        from archdsl.cli.train_progress import TrainProgress

        self._begun += 1
        say(f"{name}, seed {seed} ({self._begun} of {self._of})")
        with TrainProgress(folder, self._told) as watch:
            try:
                yield watch
            except KeyboardInterrupt as interrupt:
                number = behind(interrupt).number
                raise Interruption(watch.interrupted(), number=number) from None


def _record(found: Confirmed) -> dict[str, Any]:
    told = asdict(found)
    if not found.baseline:
        del told["baseline"]
    return {
        **told,
        "change": found.change,
        "bundles": {seed: str(path) for seed, path in found.bundles.items()},
    }


def _place_of(found: Confirmed) -> str:
    """Where it stands beside the front."""
    if found.baseline:
        return "would be" if found.on_front else "beaten"
    return "still" if found.on_front else "no more"


def _put(plan: Confirmation, found: list[Confirmed], folder: Path) -> None:
    study, metric, unit = plan.front.study.name, plan.metric, METRICS[plan.metric].unit
    others = list(found[0].values)
    has_test = any(each.tested for each in found)
    columns = [
        "trial",
        *(f"{name} {METRICS[name].unit}".strip() for name in others),
        f"found {unit}",
        f"in full {unit}",
        "change",
        *([f"test {unit}"] if has_test else []),
        "on the front",
    ]
    rows = [
        [
            each.baseline or str(each.trial),
            *(number(each.values[name]) if name in each.values else "" for name in others),
            with_interval(each.found) if each.found else "",
            with_interval(each.confirmed),
            "" if each.change is None else f"{each.change:+.2f}",
            *([with_interval(each.tested) if each.tested else ""] if has_test else []),
            _place_of(each),
        ]
        for each in found
    ]
    print_table(columns, rows, title=f"{metric} of the front of '{study}', trained in full")
    over = counted(len(plan.seeds), "seed") if len(plan.seeds) > 1 else "the images"
    put(f"the 95 % intervals of what was trained in full are over {over}")
    if not all(each.same_images for each in found):
        put(
            f"the search had its {metric} from other images, labels or parts, or from a table: "
            "what it found and what was trained in full do not compare like with like"
        )
    put(f"networks  {folder}")
