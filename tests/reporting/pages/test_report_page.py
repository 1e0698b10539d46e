"""Reports of all kinds of studies, as a browser parses them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from archdsl.records import State

SECTIONS = ("front", "progress", "choices", "importance", "members", "conditions", "endings")
HOSTILE = [
    "</p></td></div></svg></style><script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)><a href=javascript:alert(1)>",
    "& &amp; $policy ${title} %s {0} 🚀 漢",
    "x" * 10_000,
]

Made = Callable[..., Any]


def lattice(made: Made, *, count: int = 24, **words: Any) -> list[Any]:
    """The base and candidates that trade latency for accuracy, with bumps."""
    trials = [made(values={"latency": (5.0, 4.9, 5.1), "top1": (90.0, 88.0, 92.0)})]
    for number in range(1, count):
        depth, dim = number % 6 + 1, 16 * (number // 6 + 1)
        latency, top1 = 0.3 * depth * dim / 16, 80 + depth + dim / 16 + number % 5
        trials.append(
            made(
                sets=(f"depth={depth}", f"process.dim={dim}", "exchange.write.latent_ratio=0.25"),
                params={"depth": depth, "process.dim": dim},
                values={
                    "latency": (latency, latency * 0.99, latency * 1.01),
                    "top1": (top1, top1 - 0.2, top1 + 0.2),
                },
                **words,
            )
        )
    return trials


@pytest.mark.slow
def test_a_search_is_told_whole(fill: Any, report: Any, made: Made) -> None:
    device = {"name": "Toy CPU", "logical_cores": 2, "torch": "9.9"}
    words = {
        "protocol": {"latency": {"batch": 8, "dtype": "float32", "threads": 1, "tf32": False,
                                 "fingerprint": device},
                     "top1": {"data": "abc", "recipe": {"epochs": 3}, "seeds": [0]}},
        "detail": {"latency": {"blocks_ms": [[1.0, 1.1], [1.2]], "steady": False,
                               "unsteady": ["other processes took 0.9 of 2 cores"]},
                   "top1": {"correct": [90], "count": [100]}},
        "epochs": (50.0, 70.0, 65.0),
    }  # fmt: skip
    ended = [
        made(sets=("depth=9",), state=State.INFEASIBLE, reason="latency is 12.9 ms, not 12 ms"),
        made(sets=("depth=10",), state=State.INFEASIBLE, reason="latency is 14.1 ms, not 12 ms"),
        made(sets=("depth=11",), state=State.STOPPED, reason="after epoch 2: below the front"),
        made(sets=("depth=12",), state=State.OUT_OF_MEMORY, reason="2 GiB are not there"),
    ]
    study = fill(lattice(made, **words)[1:] + ended, base=None)
    page = report(study)
    anchors = {found.get("id") for _, found in page.elements}
    assert set(SECTIONS) <= anchors
    for said in (
        "27 trials: 23 complete, 1 stopped early, 2 infeasible, 1 out of memory",
        "median of 3 samples in 2 blocks",
        "90 of 100 images right, 1 training",
        "other processes took 0.9 of 2 cores",
        "Toy CPU",
        "TensorFloat-32",
        "Learning curve",
        "read: linear attention",
        "Share of the variance that each choice explains by itself",
        "latency is 12.9 ms, not 12 ms",
        "after epoch 2: below the front",
        "2 GiB are not there",
    ):
        assert said in page.text, said
    assert "latency is 14.1" not in page.text, "reasons that differ in numbers only are one"
    drawn = [found for tag, found in page.elements if found.get("class") == "archdsl-diagram"]
    cards = [found for _, found in page.elements if found.get("class") == "card"]
    assert len(drawn) == len(cards) > 2
    links = {found["href"] for tag, found in page.elements if tag == "a"}
    assert {str(link)[1:] for link in links} <= anchors, "no link leads nowhere"


@pytest.mark.slow
def test_marks_say_what_they_are_and_members_are_reached_by_keyboard(
    fill: Any, report: Any, made: Made
) -> None:
    page = report(fill(lattice(made)))
    marks = [found for _, found in page.elements if found.get("class") == "point"]
    assert all(found.get("role") == "img" for found in marks)
    titles = page.under("title")
    for number in range(24):
        assert f"{number} (" in titles
    assert "0 (base, dominated); latency (ms): 5.00 (4.90 to 5.10)" in titles
    assert "depth 4 → " in titles
    members = sum(" (front)" in text for tag, text in page.texts if tag == "title")
    growth = sum("(complete trial " in text for tag, text in page.texts if tag == "title")
    stops = [found for found in marks if found.get("tabindex") == "0"]
    assert len(stops) == members + growth + 1, "the members, the steps and the base"


def test_nothing_done_yet(fill: Any, report: Any, made: Made) -> None:
    page = report(fill([]))
    assert "No trial is complete yet, so there is no front." in page.text
    assert "There are no trials yet." in page.text
    assert page.marks() == 0


def test_only_a_running_trial(fill: Any, report: Any, made: Made) -> None:
    page = report(fill([made(state=State.RUNNING)]))
    assert "1 trial running: 0." in page.text
    assert "No trial is complete yet" in page.text


def test_only_failures(fill: Any, report: Any, made: Made) -> None:
    failed = [
        made(sets=(f"depth={depth}",), state=State.FAILED, reason=f"no row for depth = {depth}")
        for depth in (1, 2, 3)
    ]
    page = report(fill([*failed, made(sets=("depth=5",), state=State.CRASHED)]))
    assert "4 trials: 0 complete, 3 failed, 1 crashed." in page.text
    assert "no row for depth = 1" in page.text
    assert "no row for depth = 2" not in page.text
    assert "no reason was noted" in page.text


def test_one_trial(fill: Any, report: Any, made: Made) -> None:
    page = report(fill([made(values={"latency": 2.0, "top1": 90.0})]))
    assert "1 of 1 complete trial is on the front" in page.text
    assert "The base (trial 0) is on the front itself." in page.text
    assert "No complete trial made choices." in page.text
    assert "All trials are complete." in page.text


def test_one_objective(fill: Any, report: Any, made: Made) -> None:
    trials = [
        made(sets=(f"depth={depth}",), values={"latency": value}, params={"depth": depth})
        for depth, value in ((1, 3.0), (2, 2.0), (3, 4.0), (5, 1.0))
    ]
    page = report(fill(trials, objectives={"latency": "minimize"}, base=None))
    assert "The best value over time" in page.text
    assert "Lowest latency: trial 3 with 1.00 ms" in page.text
    steps = [text for tag, text in page.texts if tag == "title" and "(complete trial " in text]
    assert [text.split(" ")[1] for text in steps] == ["0", "1", "3"]


def test_what_is_counted_alone_has_no_conditions(fill: Any, report: Any, made: Made) -> None:
    page = report(fill([made(values={"params": 5.0})], objectives={"params": "minimize"}))
    assert "Aim: minimize params." in page.text
    assert "In brackets" not in page.text
    assert ". ." not in page.text


def test_three_objectives(fill: Any, report: Any, made: Made) -> None:
    goals = {"latency": "minimize", "top1": "maximize", "params": "minimize"}
    trials = [
        made(sets=(f"depth={depth}",), params={"depth": depth},
             values={"latency": depth, "top1": 80 + depth, "params": 1000 - depth})
        for depth in range(1, 6)
    ]  # fmt: skip
    page = report(fill(trials, objectives=goals, base=None))
    assert "The front is that of all 3 objectives." in page.text
    labels = [str(found.get("aria-label")) for tag, found in page.elements if tag == "svg"]
    for pair in (("top1", "latency"), ("params", "latency"), ("params", "top1")):
        assert any(all(name in label for name in pair) for label in labels), pair


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:12])
def test_texts_stay_texts(text: str, fill: Any, report: Any, made: Made) -> None:
    """`report` sees that nothing runs."""
    unsteady = {"latency": {"steady": False, "unsteady": [text]}}
    protocol = {"latency": {"table": text, "fingerprint": {"name": text}, "batch": 1,
                            "dtype": text, "threads": 1},
                "top1": {"data": text, "recipe": {text: text}}}  # fmt: skip
    protocol["latency"]["fingerprint"]["torch"] = text
    trials = [
        made(values={"latency": 2.0, "top1": 90.0}),
        made(sets=("depth=1",), values={"latency": 1.0, "top1": 80.0}, params={text: text},
             protocol=protocol, detail=unsteady),
        made(sets=("depth=2",), state=State.FAILED, reason=text),
    ]  # fmt: skip
    page = report(fill(trials, name=text, base=None))
    assert page.text.count(text) >= 6


def test_characters_that_no_page_can_hold(fill: Any, report: Any, made: Made) -> None:
    reason = "a\x01b\x07c"
    page = report(fill([made(sets=("depth=2",), state=State.FAILED, reason=reason)]))
    assert "a\ufffdb\ufffdc" in page.text


@pytest.mark.slow
def test_equal_studies_are_equal_pages(fill: Any, made: Made, store: Any) -> None:
    from archdsl.reporting.pages.findings import read_findings
    from archdsl.reporting.pages.report_page import report_html

    study = fill(lattice(made))
    first = report_html(read_findings(store, study))
    assert report_html(read_findings(store, study)) == first


@pytest.mark.slow
def test_many_members_are_thinned_and_it_is_said(fill: Any, report: Any, made: Made) -> None:
    trials = [
        made(sets=(f"depth={1 + n % 20}", f"process.dim={16 * (1 + n // 20)}"),
             values={"latency": 1.0 + n, "top1": 50 + 0.1 * n})
        for n in range(130)
    ]  # fmt: skip
    page = report(fill(trials, base=None))
    cards = [found for _, found in page.elements if found.get("class") == "card"]
    drawn = [found for _, found in page.elements if found.get("class") == "archdsl-diagram"]
    assert (len(cards), len(drawn)) == (120, 60)
    assert "120 of the 130 members" in page.text
    anchors = {found.get("id") for _, found in page.elements}
    links = {str(found["href"])[1:] for tag, found in page.elements if tag == "a"}
    assert links <= anchors, "no link leads nowhere"
    assert {"trial-0", "trial-129"} <= anchors
