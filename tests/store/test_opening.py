"""Opening a database: made, found, or refused with one clear error and nothing damaged."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from archdsl.errors import StoreError
from archdsl.store import location
from archdsl.store.rows import Architecture
from archdsl.store.schema import REVISIONS
from archdsl.store.store import open_store

OBJECTIVES = {"top1": "maximize"}


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}", "sqlite+pysqlite:///{}"])
def test_a_path_and_a_url_open_the_same_file(tmp_path: Path, form: str) -> None:
    path = tmp_path / "my results 100% #1.db"
    with open_store(form.format(path)) as store:
        store.studies.ensure(name="a", document={}, objectives=OBJECTIVES)
    assert path.is_file()
    with open_store(str(path), create=False) as store:
        assert [study.name for study in store.studies.all()] == ["a"]


def test_a_relative_path_is_taken_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    open_store().close()
    assert (tmp_path / "archdsl.db").is_file()


def test_sqlite_runs_as_promised(path: Path) -> None:
    with open_store(str(path)) as store, store.database.write() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
        }
    assert pragmas == {
        "journal_mode": "wal",
        "foreign_keys": 1,
        "busy_timeout": 30_000,
        "synchronous": 2,  # FULL
    }


def test_an_up_to_date_database_opens_without_alembic(path: Path) -> None:
    open_store(str(path)).close()
    script = (
        "import sys; from archdsl.store.store import open_store; "
        "open_store(sys.argv[1]).close(); sys.exit('alembic' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], check=True)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_missing_database_is_named(path: Path, read_only: bool) -> None:
    with pytest.raises(StoreError, match="`archdsl search` makes one") as caught:
        open_store(str(path), create=False, read_only=read_only)
    assert str(path) in str(caught.value)
    assert not path.exists()


@pytest.mark.parametrize("name", ["loop.db", "other.db", "~nobody-of-this-name/a.db"])
def test_a_name_that_leads_nowhere_is_said_to(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop.db").symlink_to("other.db")
    (tmp_path / "other.db").symlink_to("loop.db")
    with pytest.raises(StoreError, match=r"leads nowhere|cannot|no folder"):
        open_store(name if name.startswith("~") else str(tmp_path / name))


def test_an_empty_file_is_filled_only_by_creating(path: Path) -> None:
    path.touch()
    with pytest.raises(StoreError, match="is empty"):
        open_store(str(path), create=False)
    with pytest.raises(StoreError, match="is empty"):
        open_store(str(path), read_only=True)
    assert path.stat().st_size == 0
    with open_store(str(path)) as store:
        assert store.studies.all() == []


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("content", [b"hello", b"hello world, " * 2000])
def test_a_file_that_is_no_database_is_left_alone(
    path: Path, content: bytes, read_only: bool
) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreError, match="is not a database"):
        open_store(str(path), read_only=read_only)
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("table", ["notes", "alembic_version"])
def test_another_programs_database_is_left_alone(path: Path, table: str, read_only: bool) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"CREATE TABLE {table} (version_num)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=f"another program .it holds the tables {table}"):
        open_store(str(path), read_only=read_only)
    assert path.read_bytes() == before


def test_a_folder_is_not_a_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"is a folder.*/archdsl\.db"):
        open_store(str(tmp_path))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no folder .*results"):
        open_store(str(tmp_path / "results" / "archdsl.db"))


def test_what_is_no_ordinary_file_is_refused(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(StoreError, match="not an ordinary file"):
        open_store(str(path))


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.95])
def test_a_truncated_database_is_refused(path: Path, kept: float, read_only: bool) -> None:
    with open_store(str(path)) as store:
        for number in range(100):
            filler = Architecture(arch_id=str(number), spec={"filler": "x" * 1000})
            store.measurements.add(filler, [])
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    before = path.read_bytes()
    with pytest.raises(StoreError, match="damaged or cut short"):
        open_store(str(path), read_only=read_only)
    assert path.read_bytes() == before


def test_a_log_cut_short_costs_only_its_last_commits(path: Path, tmp_path: Path) -> None:
    with open_store(str(path)) as store:
        for name in ("first", "second"):
            store.studies.ensure(name=name, document={}, objectives=OBJECTIVES)
        copy = tmp_path / "copy.db"
        copy.write_bytes(path.read_bytes())
        log = Path(f"{path}-wal").read_bytes()
    Path(f"{copy}-wal").write_bytes(log[: len(log) - 100])
    with open_store(str(copy)) as store:
        assert [study.name for study in store.studies.all()] == ["first"]


def test_a_later_schema_names_both(path: Path) -> None:
    open_store(str(path)).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE archdsl_version SET version_num = '0042'")
    connection.commit()
    connection.close()
    for read_only in (False, True):
        with pytest.raises(StoreError, match=rf"schema 0042.*{REVISIONS[-1]}.*pip install --upgr"):
            open_store(str(path), read_only=read_only)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "empty name"),
        ("sqlite:/archdsl.db", "not a database URL"),
        ("://x", "no folder"),
        ("postgresql://user:secret@host:port/x", "not a database URL"),
        ("sqlite://archdsl.db", "three slashes, sqlite:///archdsl.db"),
        ("sqlite://", "lives in memory"),
        ("sqlite:///:memory:", "lives in memory"),
        ("sqlite:///a.db?", "options that are not supported"),
        ("sqlite+aiosqlite:///a.db", "driver or options"),
        ("nosuch://host/x", "'nosuch://host/x' is not supported: .*SQLite and with PostgreSQL"),
        ("mysql://user:secret@host/x?password=secret", "not supported.*postgresql://user@host/"),
        ("postgresql+psycopg2://user:secret@host/x", "not supported: .* by way of psycopg;"),
        ("postgresql://user:se@secret@host/x", "is unclear: write every @ .* as %40"),
        ("postgresql://user:s@e/secret@host/x", "is unclear: write every @ .* as %40"),
        ("postgresql:/user:secret@host/x", "'postgresql:/…@host/x' is not a database URL"),
        ("postgresql:user:secret@host/x", "'postgresql:…@host/x' is not a database URL"),
        (r"postgresql:\\user:secret@host\x", "is not a database URL"),
        ("postgresql://user:secret", "'postgresql://user:…' is not a database URL"),
        ("postgresql://user:5432secret/x", "'postgresql://user:…' is not a database URL"),
        ("postgres:user:secret", "'postgres:user:…' is not a database URL"),
        ("sqlite://user:secret", "'sqlite://user:…' is not a database URL"),
        (" postgresql://user:secret@host/x", "is not a database URL"),
        ("postgres;//user:secret@host/x", "is not a database URL"),
        ("postgresql//user:secret@host/x", "is not a database URL"),
        ("//user:secret@host/x", "'//…@host/x' is not a database URL"),
        ("user:secret@host/x", "'…@host/x' is not a database URL"),
        ("host=here user=me password=secret dbname=x", "'host=here user=me password=… dbname=x'"),
        ("password='my secret' host=here", "'password=… host=here'"),
        (
            "mysql://host/x?passwd=secret&ssl=1",
            r"'mysql://host/x\?passwd=…&ssl=1' is not supported",
        ),
        ("mysql://host/x?password=my@secret", "is not supported"),
        ("sqlite://user:secret@host/x", "names no file"),
        ("sqlite:///x?password=secret", "options that are not supported"),
        ("postgresql:///x?host=/nowhere&PASSWD=secret", "correct the words behind"),
    ],
)
def test_an_unusable_url_is_refused(url: str, message: str) -> None:
    with pytest.raises(StoreError, match=message) as caught:
        open_store(url)
    assert "secret" not in str(caught.value)


def test_a_full_disk_keeps_what_was_committed(path: Path) -> None:
    with open_store(str(path)) as store:
        store.studies.ensure(name="first", document={}, objectives=OBJECTIVES)
    pages = path.stat().st_size // 4096 + 4

    def limit(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    event.listen(Engine, "connect", limit)
    try:
        with open_store(str(path)) as store:
            with pytest.raises(StoreError, match="the disk is full") as caught:
                store.studies.ensure(
                    name="big", document={"x": "y" * 100_000}, objectives=OBJECTIVES
                )
            assert str(path) in str(caught.value)
            assert [study.name for study in store.studies.all()] == ["first"]
    finally:
        event.remove(Engine, "connect", limit)
    with open_store(str(path)) as store:
        store.studies.ensure(name="big", document={"x": "y" * 100_000}, objectives=OBJECTIVES)


def test_a_store_for_reading_refuses_to_write(path: Path) -> None:
    open_store(str(path)).close()
    with (
        open_store(str(path), read_only=True) as store,
        pytest.raises(StoreError, match="opened for reading only"),
    ):
        store.studies.ensure(name="a", document={}, objectives=OBJECTIVES)


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that an ordinary account can reach, as pytest's own folders are private."""
    folder = Path(tempfile.mkdtemp(prefix="archdsl-store-"))
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@contextmanager
def ordinary_account() -> Iterator[None]:
    """Permissions do not bind root, who steps down for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.mark.skipif(not hasattr(os, "setresuid"), reason="permissions are another matter here")
@pytest.mark.parametrize("protected", ["folder", "file", "both"])
def test_what_is_read_only_can_still_be_read(public_folder: Path, protected: str) -> None:
    path = public_folder / "archdsl.db"
    with open_store(str(path)) as store:
        store.studies.ensure(name="a", document={}, objectives=OBJECTIVES)
    path.chmod(0o666 if protected == "folder" else 0o444)
    public_folder.chmod(0o777 if protected == "file" else 0o555)
    refused = path if protected == "file" else public_folder
    with ordinary_account():
        with open_store(str(path), create=False, read_only=True) as store:
            assert [study.name for study in store.studies.all()] == ["a"]
        with pytest.raises(StoreError, match=f"{refused} is read-only"):
            open_store(str(path))


@pytest.mark.skipif(not hasattr(os, "setresuid"), reason="permissions are another matter here")
def test_what_may_not_be_read_is_named(public_folder: Path) -> None:
    path = public_folder / "archdsl.db"
    open_store(str(path)).close()
    public_folder.chmod(0o755)
    path.chmod(0o000)
    with ordinary_account(), pytest.raises(StoreError, match="cannot be read; mend"):
        open_store(str(path), read_only=True)
    public_folder.chmod(0o000)
    with (
        ordinary_account(),
        pytest.raises(StoreError, match="cannot be reached: Permission denied"),
    ):
        open_store(str(path), read_only=True)


@pytest.mark.skipif(not hasattr(os, "setresuid"), reason="permissions are another matter here")
def test_a_read_only_folder_with_a_writer_is_read_along_with_its_log(public_folder: Path) -> None:
    path = public_folder / "archdsl.db"
    with open_store(str(path)) as writer:
        writer.studies.ensure(name="only in the log", document={}, objectives=OBJECTIVES)
        public_folder.chmod(0o555)
        with (
            ordinary_account(),
            open_store(str(path), create=False, read_only=True) as store,
        ):
            assert [study.name for study in store.studies.all()] == ["only in the log"]


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/home/me/work", ("nfs4", "/home")),
        ("/home/me/local disk/x", None),
        ("/mnt/share", ("fuse.sshfs", "/mnt/share")),
        ("/mnt/shared", None),
        ("/scratch/me", ("lustre", "/scratch")),
        ("/auto/x", ("nfs", "/auto")),
        ("/tmp", None),
    ],
)
def test_a_network_file_system_is_recognised(
    tmp_path: Path, folder: str, expected: tuple[str, str] | None
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/sda1 / ext4 rw 0 0\n"
        "server:/home /home nfs4 rw 0 0\n"
        "/dev/sdb1 /home/me/local\\040disk ext4 rw 0 0\n"
        "me@host: /mnt/share fuse.sshfs rw 0 0\n"
        "mds:/x /scratch lustre rw 0 0\n"
        "auto /auto autofs rw 0 0\n"
        "server:/auto /auto nfs rw 0 0\n"
    )
    assert location.network_mount(Path(folder), mounts) == expected


def test_a_network_file_system_is_refused_for_writing_only(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(str(path)).close()
    monkeypatch.setattr(location, "network_mount", lambda folder: ("nfs4", str(folder)))
    with pytest.raises(StoreError, match=r"network file system \(nfs4.*local disk.*postgresql"):
        open_store(str(path))
    with open_store(str(path), read_only=True) as store:
        assert store.studies.all() == []
