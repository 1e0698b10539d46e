"""Files at a URL: whole or as before, and what is refused before anything is paid for."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import fsspec
import pytest

from archdsl.errors import WriteError
from archdsl.storage.remote import RemoteFolder, storage_at


def test_a_connection_that_was_ended_is_made_anew(shelf: Any) -> None:
    depot = RemoteFolder("shelf://bucket/deep/down")
    depot.write("file", b"old")
    shelf.failures, before = 1, shelf.connections
    depot.write("file", b"new")
    assert depot.read("file") == b"new"
    assert shelf.connections == before + 1


def test_files(shelf: Any) -> None:
    depot = RemoteFolder("shelf://bucket/") / "folder"
    assert str(depot) == "shelf://bucket/folder"
    assert depot.read("file") is None
    depot.remove("file")
    depot.check()
    assert names_at("shelf://bucket/folder") == []
    depot.write("file", b"content")
    assert depot.read("file") == b"content" == Path("bucket/folder/file").read_bytes()
    depot.remove("file")
    assert depot.read("file") is None


def test_a_bucket_is_not_made_by_mistake(shelf: Any) -> None:
    with pytest.raises(WriteError, match=r"cannot write shelf://bukcet/.*FileNotFoundError"):
        RemoteFolder("shelf://bukcet/files").check()
    assert names_at("shelf://bucket") == [] and not Path("bukcet").exists()


def test_a_place_that_refuses(shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Any, path: str, value: bytes, **words: Any) -> None:
        raise PermissionError(13, "Forbidden")

    monkeypatch.setattr(shelf, "pipe_file", refuse)
    with pytest.raises(WriteError, match="PermissionError: Forbidden; see that the run profile's"):
        RemoteFolder("shelf://bucket/files").check()


def test_a_place_that_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(WriteError, match="ConnectionRefusedError"):
        RemoteFolder(f"ftp://127.0.0.1:{port}/files").check()


def test_a_place_that_hangs(shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr(shelf, "isdir", lambda self, path: ended.wait(60))
    with pytest.raises(
        WriteError, match=r"cannot reach shelf://bucket/files: no answer within 0\.1"
    ):
        RemoteFolder("shelf://bucket/files").check(seconds=0.1)
    ended.set()


def test_a_folder_is_a_folder_however_it_is_written(tmp_path: Path) -> None:
    assert storage_at("files") == Path("files")
    assert storage_at(f"file://{tmp_path}/files") == tmp_path / "files"
    assert isinstance(storage_at("s3://bucket/files"), RemoteFolder)


def names_at(url: str) -> list[str]:
    system, path = fsspec.url_to_fs(url)
    return sorted(Path(name).name for name in system.ls(path, detail=False))
