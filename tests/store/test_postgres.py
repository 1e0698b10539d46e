"""What only a server has: refused connections, rights, other sessions, lost machines."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sqlalchemy import URL, Connection, create_engine, make_url

import archdsl
from archdsl.errors import StoreError
from archdsl.store import postgres as postgres_room
from archdsl.store.errors import EmptyDatabaseError
from archdsl.store.location import shown
from archdsl.store.store import open_store

pytestmark = pytest.mark.process

OBJECTIVES = {"top1": "maximize"}
SECRET = "not-the-password"


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


@pytest.fixture
def admin(postgres: str) -> Iterator[Connection]:
    """A session of somebody else on the same schema."""
    engine = create_engine(postgres, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"password": SECRET}, "user or password is wrong; correct them in --db"),
        ({"database": "nosuch"}, "there is no such database or user"),
        ({"host": "127.0.0.1", "port": 1, "query": {}}, "no server answers there; start it"),
        ({"host": "nosuch.invalid", "query": {}}, "there is no such host"),
        ({"host": None, "query": {"host": "/nosuch", "password": SECRET}}, "no server answers"),
        ({"query": {"options": "-csearch_path=nosuch"}}, "it has no schema to work in"),
    ],
)
def test_a_server_that_refuses_is_told_in_one_line(
    postgres: str, changed: dict[str, object], message: str
) -> None:
    url = make_url(postgres)
    if url.query.get("host") and set(changed) == {"query"}:
        changed = {"query": {**url.query, **changed["query"]}}
    with pytest.raises(StoreError, match=message) as caught:
        open_store(_text(url.set(**changed)))
    told = str(caught.value)
    assert SECRET not in told
    assert url.password is None or url.password not in told
    assert "\n" not in told


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_every_spelling_is_one_driver(postgres: str, scheme: str) -> None:
    url = re.sub(r"^[a-z+0-9]+:", f"{scheme}:", postgres)
    with open_store(url) as store:
        store.studies.ensure(name="a", document={}, objectives=OBJECTIVES)
        with store.database.read() as connection:
            assert connection.dialect.driver == "psycopg"


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
def test_a_missing_driver_names_the_extra(scheme: str) -> None:
    script = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from archdsl.errors import StoreError\n"
        "from archdsl.store.store import open_store\n"
        "try: open_store(sys.argv[1])\n"
        "except StoreError as error: print(error)"
    )
    url = f"{scheme}://user:{SECRET}@host/x"
    command = [sys.executable, "-c", script, url]
    root = Path(archdsl.__file__).parents[1]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert "pip install 'archdsl[postgres]'" in done.stdout
    assert "user:***@host/x" in done.stdout


def test_what_is_shown_has_no_password() -> None:
    url = "postgresql+psycopg://me:secret@host:5433/x?sslmode=require&password=secret"
    assert shown(url) == "postgresql://me:***@host:5433/x?sslmode=require"
    assert shown("results/a.db") == "results/a.db"
    assert shown("sqlite:///a.db") == "sqlite:///a.db"


def test_an_empty_schema_is_filled_only_by_creating(postgres: str) -> None:
    for read_only in (False, True):
        with pytest.raises(EmptyDatabaseError, match="is empty; `archdsl search` fills one"):
            open_store(postgres, create=False, read_only=read_only)
    with open_store(postgres) as store:
        assert store.studies.all() == []


def test_another_programs_tables_are_left_alone(postgres: str, admin: Connection) -> None:
    admin.exec_driver_sql("CREATE TABLE notes (id integer)")
    with pytest.raises(StoreError, match=r"another program .it holds the tables notes"):
        open_store(postgres)
    tables = admin.exec_driver_sql(
        "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    )
    assert tables.scalars().all() == ["notes"]


@pytest.fixture
def guest(postgres: str, admin: Connection) -> Iterator[str]:
    """The URL of a user who may look at the schema and make nothing in it."""
    schema = admin.exec_driver_sql("SELECT current_schema()").scalar()
    user = f"{schema}_guest"
    admin.exec_driver_sql(f"CREATE ROLE {user} LOGIN PASSWORD '{SECRET}'")
    admin.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {user}")
    yield _text(make_url(postgres).set(username=user, password=SECRET))
    admin.exec_driver_sql(f"DROP OWNED BY {user}")
    admin.exec_driver_sql(f"DROP ROLE {user}")


def test_rights_that_are_missing_are_named(guest: str, postgres: str, admin: Connection) -> None:
    with pytest.raises(StoreError, match="may not do that; let it own the database, or grant"):
        open_store(guest)
    with open_store(postgres) as store:
        store.studies.ensure(name="a", document={}, objectives=OBJECTIVES)
    schema = admin.exec_driver_sql("SELECT current_schema()").scalar()
    user = make_url(guest).username
    admin.exec_driver_sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {user}")
    with open_store(guest, create=False, read_only=True) as store:
        assert [study.name for study in store.studies.all()] == ["a"]
    with (
        open_store(guest) as store,
        pytest.raises(StoreError, match="may not do that"),
    ):
        store.studies.ensure(name="b", document={}, objectives=OBJECTIVES)


def test_a_writer_that_is_waited_for_too_long(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(postgres) as first, open_store(postgres) as second:
        quick = re.sub(r"lock_timeout = '\d+s'", "lock_timeout = '100ms'", _begin())
        monkeypatch.setattr(postgres_room, "_BEGIN_WRITING", quick)
        with (
            first.database.write(),
            pytest.raises(StoreError, match="another process has held it for over 30 s"),
        ):
            second.studies.ensure(name="a", document={}, objectives=OBJECTIVES)
        second.studies.ensure(name="a", document={}, objectives=OBJECTIVES)


def test_a_writer_that_fell_silent_holds_nobody_up(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = re.sub(r"session_timeout = '\d+s'", "session_timeout = '200ms'", _begin())
    with open_store(postgres) as silent, open_store(postgres) as other:
        monkeypatch.setattr(postgres_room, "_BEGIN_WRITING", impatient)
        with (
            pytest.raises(StoreError, match=r"stood still|server ended the connection"),
            silent.database.write() as connection,
        ):
            other.studies.ensure(name="a", document={}, objectives=OBJECTIVES)
            connection.exec_driver_sql("DELETE FROM studies")
        assert [study.name for study in silent.studies.all()] == ["a"]


def test_connections_that_were_ended_meanwhile_are_made_anew(
    postgres: str, admin: Connection
) -> None:
    everybody = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND application_name = 'ended'"
    )
    with open_store(f"{postgres}&application_name=ended") as store:
        store.studies.ensure(name="a", document={}, objectives=OBJECTIVES)
        assert admin.exec_driver_sql(everybody).scalar() == 1
        assert [study.name for study in store.studies.all()] == ["a"]
        with (
            pytest.raises(StoreError, match="server ended the connection; what was committed"),
            store.database.write() as connection,
        ):
            admin.exec_driver_sql(everybody)
            connection.exec_driver_sql("SELECT 1")
        assert [study.name for study in store.studies.all()] == ["a"]


def test_writers_of_two_schemas_do_not_wait_for_each_other(
    postgres: str,
    postgres_schema: Callable[[], AbstractContextManager[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quick = re.sub(r"lock_timeout = '\d+s'", "lock_timeout = '100ms'", _begin())
    with postgres_schema() as elsewhere, open_store(postgres) as one, open_store(elsewhere) as two:
        monkeypatch.setattr(postgres_room, "_BEGIN_WRITING", quick)
        with one.database.write():
            two.studies.ensure(name="a", document={}, objectives=OBJECTIVES)


def test_a_name_that_is_too_long_is_told(postgres: str) -> None:
    with open_store(postgres) as store:
        with pytest.raises(StoreError, match="longer than the database keeps; shorten it"):
            store.studies.ensure(name="a" * 201, document={}, objectives=OBJECTIVES)
        assert store.studies.all() == []


def _begin() -> str:
    return postgres_room._BEGIN_WRITING
