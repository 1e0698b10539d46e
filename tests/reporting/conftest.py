"""Pages as a browser would parse them, and studies in a store to make pages of."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from archdsl.objectives import OBJECTIVES
from archdsl.plan.facts import facts
from archdsl.plan.read import read_model
from archdsl.records import Measurement, Outcome, State
from archdsl.reporting.pages.findings import read_findings
from archdsl.reporting.pages.report_page import report_html
from archdsl.store.owner import Owner
from archdsl.store.rows import Architecture, NewTrial, StudyRow
from archdsl.store.store import Store, open_store

BOTH = {"latency": "minimize", "top1": "maximize"}
VOID = {"meta", "img", "link", "br"}


class Page(HTMLParser):
    """What a reader meets: elements, attributes and the text of each element."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, "every element is closed in turn"

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def under(self, tag: str) -> str:
        """The text directly inside all elements of a kind."""
        return "".join(text for inside, text in self.texts if inside == tag)

    @property
    def text(self) -> str:
        """All that is to be read."""
        return "".join(text for inside, text in self.texts if inside not in ("style", "script"))

    def marks(self) -> int:
        """How many marks of pictures tell what they are."""
        return sum(attributes.get("class") == "point" for _, attributes in self.elements)

    def assert_harmless(self) -> None:
        """Nothing runs but the page's own script, and nothing is loaded."""
        assert [tag for tag, _ in self.elements].count("script") == 1
        assert not {"img", "iframe", "object", "link", "base"} & {tag for tag, _ in self.elements}
        for _, found in self.elements:
            assert not any(name.startswith("on") for name in found)
            assert "src" not in found
            assert (found.get("href") or "#").startswith("#")


@pytest.fixture
def parse() -> Callable[[str], Page]:
    return Page


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(str(tmp_path / "archdsl.db")) as opened:
        yield opened


@dataclass(frozen=True, kw_only=True)
class Made:
    """One trial to put into a study.

    Args:
        values: objective to its value, or to (value, low, high); None for a trial without.
        sets: settings laid over the base, which make the architecture; none for the base.
        params: what it chose.
        state: how it ended.
        reason: why, where it is not complete.
        detail: objective to what its measurement says of itself.
        protocol: objective to the protocol of its measurement.
        epochs: validation top1 after each epoch.
    """

    values: Mapping[str, float | tuple[float, float, float]] | None = None
    sets: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    state: State = State.COMPLETE
    reason: str | None = None
    detail: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    protocol: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    epochs: Sequence[float] = ()


def measured(name: str, value: float | tuple[float, float, float], made: Made) -> Measurement:
    middle, low, high = value if isinstance(value, tuple) else (value, value, value)
    return Measurement(
        quantity=name,
        value=middle,
        low=low,
        high=high,
        unit=OBJECTIVES[name].unit,
        protocol=made.protocol.get(name, {"table": "abc"}),
        detail=made.detail.get(name, {}),
    )


def options(values: Sequence[Any]) -> str:
    """The choice between all that was taken, as the store holds it."""
    choices = list(dict.fromkeys(values))
    return json.dumps({"name": "CategoricalDistribution", "attributes": {"choices": choices}})


Fill = Callable[..., StudyRow]


@pytest.fixture
def fill(store: Store) -> Fill:
    """Puts a study into the store: `fill([Made(values={"latency": 1, "top1": 90})])`."""

    def filled(
        trials: Sequence[Made],
        *,
        objectives: Mapping[str, str] = BOTH,
        name: str = "digits",
        base: str | None = "vittm-digits",
    ) -> StudyRow:
        document = {"base": base} if base else {}
        study = store.studies.ensure(name=name, document=document, objectives=objectives)
        taken: dict[str, list[Any]] = {}
        for hole, value in (item for made in trials for item in made.params.items()):
            taken.setdefault(hole, []).append(value)
        for made in trials:
            model = read_model("vittm-digits", made.sets)
            new = NewTrial(
                architecture=Architecture(
                    arch_id=model.plan.arch_id,
                    spec=model.spec.document(),
                    plan=model.plan.canonical(),
                    facts=facts(model.plan),
                ),
                params=made.params,
                distributions={n: options(taken[n]) for n in made.params},
            )
            trial = store.trials.add(new, study_id=study.id, budget=None, owner=Owner.current())
            assert trial is not None
            token = trial.token or ""
            for epoch, value in enumerate(made.epochs, start=1):
                store.epochs.report(
                    trial_id=trial.id, token=token, epoch=epoch, name="top1", value=value
                )
            values = {
                goal: measured(goal, value, made) for goal, value in (made.values or {}).items()
            }
            if made.state is not State.RUNNING:
                outcome = Outcome(
                    state=made.state,
                    measurements=tuple(values.values()),
                    reason=made.reason,
                    seconds=1.0,
                )
                complete = values if made.state is State.COMPLETE else {}
                store.trials.finish(
                    trial_id=trial.id, token=token, outcome=outcome, values=complete
                )
        return study

    return filled


@pytest.fixture
def made() -> type[Made]:
    return Made


@pytest.fixture
def report(store: Store) -> Callable[[StudyRow], Page]:
    """The report of a study, parsed; it is known to be harmless."""

    def written(study: StudyRow) -> Page:
        page = Page(report_html(read_findings(store, study)))
        page.assert_harmless()
        return page

    return written
