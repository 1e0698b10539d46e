"""Files at a URL: whole or as before, and what is refused before anything is paid for."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import fsspec
import pytest

from archdsl.errors import WriteError
from archdsl.storage.folder import Folder
from archdsl.storage.remote import RemoteFolder
from archdsl.storage.storage import Storage, storage_at


def write(place: Storage, name: str, content: bytes) -> None:
    place.write(name, lambda stream: stream.write(content))


def content(place: Storage, name: str) -> bytes | None:
    return place.read(name, lambda stream: stream.read())


def test_a_connection_that_was_ended_is_made_anew(shelf: Any) -> None:
    place = RemoteFolder("shelf://bucket/deep/down")
    write(place, "file", b"old")
    shelf.failures, before = 1, shelf.connections
    write(place, "file", b"new")
    assert content(place, "file") == b"new"
    assert shelf.connections == before + 1


def test_files(shelf: Any) -> None:
    place = RemoteFolder("shelf://bucket/") / "folder"
    assert str(place) == "shelf://bucket/folder"
    assert content(place, "file") is None
    place.remove("file")
    place.check()
    assert names_at("shelf://bucket/folder") == []
    write(place, "file", b"content")
    assert content(place, "file") == b"content" == Path("bucket/folder/file").read_bytes()
    place.remove("file")
    assert content(place, "file") is None


def test_a_bucket_is_not_made_by_mistake(shelf: Any) -> None:
    with pytest.raises(WriteError, match=r"cannot write shelf://bukcet/.*FileNotFoundError"):
        RemoteFolder("shelf://bukcet/files").check()
    assert names_at("shelf://bucket") == [] and not Path("bukcet").exists()


def test_a_place_that_refuses(shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Any, path: str, mode: str = "rb", **words: Any) -> None:
        raise PermissionError(13, "Forbidden")

    monkeypatch.setattr(shelf, "open", refuse)
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


def test_a_folder_is_a_folder_however_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for place in ("files", f"file://{tmp_path}/files", str(tmp_path / "files")):
        assert isinstance(storage_at(place), Folder)
        assert str(storage_at(place)) == str(tmp_path / "files")
    assert isinstance(storage_at("s3://bucket/files"), RemoteFolder)


def names_at(url: str) -> list[str]:
    system, path = fsspec.url_to_fs(url)
    return sorted(Path(name).name for name in system.ls(path, detail=False))
