"""A server that stops answering, or is away for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from archdsl.errors import StoreError
from archdsl.store import absence, patience
from archdsl.store.errors import NoServerError
from archdsl.store.store import Store, open_store
from tests.fixtures.relay import Relay, relay_to

OBJECTIVES = {"top1": "maximize"}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "TELL_SECONDS", 0.2)
    monkeypatch.setattr(patience, "ANSWER_SECONDS", 0.6)
    monkeypatch.setattr(patience, "ASKING_SECONDS", 0.1)
    monkeypatch.setattr(absence, "BETWEEN_SECONDS", 0.1)


@pytest.fixture
def relay(postgres: str) -> tuple[Relay, str]:
    return relay_to(postgres)


@pytest.fixture
def store(relay: tuple[Relay, str]) -> Iterator[Store]:
    with open_store(relay[1]) as opened:
        add(opened, "first")
        yield opened


def add(store: Store, name: str) -> None:
    store.studies.ensure(name=name, document={}, objectives=OBJECTIVES)


def names(store: Store) -> list[str]:
    return [study.name for study in store.studies.all()]


def test_one_that_comes_back_is_waited_for(
    relay: tuple[Relay, str], store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    relay[0].cut()
    threading.Timer(0.5, relay[0].mend).start()
    add(store, "second")
    assert names(store) == ["first", "second"]
    assert caplog.text.count("no answer since") == 1
    assert "trying again for 30 s" in caplog.text


def test_one_that_stays_away_is_waited_for_once(
    relay: tuple[Relay, str], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(absence, "RETURN_SECONDS", 0.5)
    relay[0].cut()
    begun = time.monotonic()
    with pytest.raises(NoServerError, match="no server answers there"):
        add(store, "second")
    assert time.monotonic() - begun > 0.5
    begun = time.monotonic()
    with pytest.raises(NoServerError, match="no server answers there"):
        names(store)
    assert time.monotonic() - begun < 0.5


def test_a_session_that_stands_still_is_replaced(
    relay: tuple[Relay, str], store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    relay[0].silence()
    add(store, "second")
    assert names(store) == ["first", "second"]
    assert "gives no answer since" in caplog.text


def test_one_that_falls_silent_in_a_transaction_is_not_waited_for_long(
    relay: tuple[Relay, str], store: Store
) -> None:
    with (
        pytest.raises(StoreError, match=r"is safe: run this again \(no answer since \d\d:\d\d"),
        store.database.write() as connection,
    ):
        connection.exec_driver_sql("DELETE FROM studies")
        relay[0].silence()
        connection.exec_driver_sql("SELECT 1")
    assert names(store) == ["first"]
