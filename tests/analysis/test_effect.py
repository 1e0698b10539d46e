"""Which decisions change nothing in the trial that made them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from archdsl.analysis import effect
from archdsl.analysis.effect import with_effect
from archdsl.reporting.pages.findings import read_findings
from archdsl.reporting.pages.report_page import report_html
from archdsl.searching.read import CheckedStudy
from archdsl.searching.run import SearchResult
from archdsl.searching.stored import space_of
from archdsl.store.rows import StudyRow
from archdsl.store.store import Store

SPACE = """\
depth: {choose: [1, 2]}
layers: {choose: {keep: [], cut: [{at: {every: 1}, exchange: {write: null}}]}}
exchange: {write: {fusion: {choose: [add, erase]}, latent_ratio: {choose: [0.5, 1]}}}"""
WRITTEN = {"exchange.write.fusion", "exchange.write.latent_ratio"}


@pytest.fixture
def searched(
    study: Callable[..., CheckedStudy],
    run: Callable[..., SearchResult],
    write_values: Callable[[CheckedStudy], None],
) -> StudyRow:
    """All ten networks of sixteen combinations: of a cut write, four are one."""
    checked = study(SPACE, trials=10)
    write_values(checked)
    return run(checked).row


def test_words_of_a_write_that_is_not_there(store: Store, searched: StudyRow) -> None:
    trials = store.trials.all(searched.id)
    decided = [trial for trial in trials if trial.params]
    assert len({trial.arch_id for trial in trials}) == len(trials), "none is paid for twice"
    found = with_effect(space_of(searched), trials)
    cut = sum(trial.params["layers"] == "cut" for trial in decided)
    assert 0 < cut < len(decided)
    assert found.idle == dict.fromkeys(WRITTEN, cut)
    for before, after in zip(trials, found.trials, strict=True):
        idle = WRITTEN if before.params.get("layers") == "cut" else set()
        assert after.params.keys() == after.distributions.keys() == before.params.keys() - idle
    assert found.unlooked == 0


def test_without_the_space_all_decisions_count(store: Store, searched: StudyRow) -> None:
    trials = store.trials.all(searched.id)
    assert with_effect(None, trials).trials == trials


def test_what_is_too_much_to_look_at_is_counted(
    store: Store, searched: StudyRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(effect, "MOST_WALKS", 1)
    trials = store.trials.all(searched.id)
    assert (
        with_effect(space_of(searched), trials).unlooked == sum(bool(t.params) for t in trials) - 1
    )


def test_a_report_leaves_them_out_and_says_so(store: Store, searched: StudyRow) -> None:
    found = read_findings(store, searched)
    counts = {each.name: each.trials for each in found.importances.choices}
    assert counts["exchange.write.fusion"] == counts["depth"] - found.idle["exchange.write.fusion"]
    page = report_html(found)
    said = "A trial counts for a choice only where another option would have made another network"
    assert page.count(said) == 2, "beside the picture and the shares"
