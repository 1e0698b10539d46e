"""A study is its name and its document; an architecture is found by the start of its identity."""

from __future__ import annotations

import pytest

from archdsl.errors import StoreError, StudyError
from archdsl.identity import digest
from archdsl.store.errors import StudyChangedError
from archdsl.store.rows import Architecture
from archdsl.store.store import Store, open_store

DOCUMENT = {"kind": "study", "name": "a", "space": {"depth": {"choose": [8, 12]}, "dim": 384}}
OBJECTIVES = {"top1": "maximize", "latency": "minimize"}


def test_same_document_gives_the_same_study_also_after_reopening(url: str) -> None:
    with open_store(url) as store:
        first = store.studies.ensure(name="a", document=DOCUMENT, objectives=OBJECTIVES)
    with open_store(url, create=False) as store:
        reordered = dict(reversed(DOCUMENT.items()))
        assert store.studies.ensure(name="a", document=reordered, objectives=OBJECTIVES) == first
        assert store.studies.all() == [first] == [store.studies.find("a")]
    assert first.digest == digest(DOCUMENT)
    assert first.document == DOCUMENT
    assert list(first.objectives) == ["top1", "latency"]


def test_changed_document_shows_the_difference_and_changes_nothing(store: Store) -> None:
    before = store.studies.ensure(name="a", document=DOCUMENT, objectives=OBJECTIVES)
    changed = {**DOCUMENT, "space": {"depth": {"choose": [8, 14]}, "dim": 384}}
    with pytest.raises(StudyChangedError) as caught:
        store.studies.ensure(name="a", document=changed, objectives=OBJECTIVES)
    lines = str(caught.value).splitlines()
    assert any(line.startswith("-") and line.endswith("- 12") for line in lines)
    assert any(line.startswith("+") and line.endswith("- 14") for line in lines)
    assert "another name" in lines[-1]
    assert "--db" in lines[-1]
    assert isinstance(caught.value, StudyError)
    assert store.studies.all() == [before]


def test_a_few_changed_settings_can_be_typed_to_go_on_as_before(store: Store) -> None:
    def begin(**latency: object) -> None:
        document = {**DOCUMENT, "evaluate": {"latency": {"device": "cpu", **latency}}}
        store.studies.ensure(name="a", document=document, objectives=OBJECTIVES)

    begin(batch=8)
    with pytest.raises(StudyChangedError) as caught:
        begin(batch=16, threads=1)
    remedy = "--set evaluate.latency.batch=8 --set evaluate.latency.threads=null; or give"
    assert f"by adding {remedy} the study another name" in str(caught.value)


def test_changed_objectives_under_an_old_name_are_refused(store: Store) -> None:
    store.studies.ensure(name="a", document=DOCUMENT, objectives=OBJECTIVES)
    with pytest.raises(StudyChangedError, match=r"(?m)^-  top1: maximize"):
        store.studies.ensure(name="a", document=DOCUMENT, objectives={"latency": "minimize"})


def test_a_long_difference_is_cut(store: Store) -> None:
    store.studies.ensure(name="a", document={f"k{n}": 0 for n in range(200)}, objectives=OBJECTIVES)
    with pytest.raises(StudyChangedError, match="more lines") as caught:
        store.studies.ensure(
            name="a", document={f"k{n}": 1 for n in range(200)}, objectives=OBJECTIVES
        )
    assert len(str(caught.value).splitlines()) < 50


def test_unknown_study_names_those_there_are(store: Store) -> None:
    store.studies.ensure(name="digits", document=DOCUMENT, objectives=OBJECTIVES)
    with pytest.raises(StoreError, match="no study 'digit'; it holds: digits"):
        store.studies.find("digit")


def test_objectives_must_have_a_direction(store: Store) -> None:
    with pytest.raises(ValueError, match="minimize or maximize"):
        store.studies.ensure(name="a", document=DOCUMENT, objectives={"top1": "max"})
    assert store.studies.all() == []


@pytest.fixture
def filled(store: Store) -> Store:
    for arch_id in ("abc123", "abc1", "abd9"):
        architecture = Architecture(
            arch_id=arch_id, spec={"depth": 2}, plan={"layers": []}, facts={"params": 5}
        )
        store.measurements.add(architecture, [])
    return store


def test_an_architecture_is_found_by_a_unique_prefix(filled: Store) -> None:
    found = filled.architectures.find("ABD")
    assert (found.arch_id, found.spec, found.facts) == ("abd9", {"depth": 2}, {"params": 5})
    assert filled.architectures.find("abc1").arch_id == "abc1"
    assert filled.architectures.find("abc12").arch_id == "abc123"


@pytest.mark.parametrize("prefix", ["f", "", "%", "abc1234"])
def test_an_unknown_prefix_is_refused(filled: Store, prefix: str) -> None:
    with pytest.raises(StoreError, match="holds no architecture"):
        filled.architectures.find(prefix)


def test_an_ambiguous_prefix_lists_what_it_could_mean(filled: Store) -> None:
    with pytest.raises(StoreError, match=r"several architectures: abc1, abc123, abd9; say more"):
        filled.architectures.find("ab")


def test_an_architecture_keeps_its_first_spec(filled: Store) -> None:
    filled.measurements.add(Architecture(arch_id="abd9", spec={"depth": 99}), [])
    assert filled.architectures.find("abd9").spec == {"depth": 2}
