"""Files in a folder: the old one or the new one, whole, whatever happens."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import pytest

from archdsl.errors import WriteError
from archdsl.storage.folder import Folder


def content(place: Folder, name: str) -> bytes | None:
    return place.read(name, lambda stream: stream.read())


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    place = Folder("deep") / "down"
    assert str(place) == f"{tmp_path}/deep/down"
    assert content(place, "file") is None
    place.remove("file")
    place.check()
    assert not Path("deep").exists(), "nothing is made before something is written"
    monkeypatch.chdir("/")
    place.write("file", lambda stream: stream.write(b"content"))
    assert content(place, "file") == b"content" == (tmp_path / "deep/down/file").read_bytes()
    place.remove("file")
    assert content(place, "file") is None
    assert content(place / "file", "inside") is None


def test_a_file_that_breaks_off_leaves_the_one_before(tmp_path: Path) -> None:
    place = Folder(tmp_path)
    place.write("file", lambda stream: stream.write(b"old"))

    def break_off(stream: BinaryIO) -> None:
        stream.write(b"half a f")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place.write("file", break_off)
    assert content(place, "file") == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_place_that_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    place = Folder(tmp_path / "file")
    assert content(place, "inside") is None
    with pytest.raises(WriteError, match=rf"cannot write {tmp_path}/file/inside: "):
        place.write("inside", lambda stream: stream.write(b""))
    with pytest.raises(WriteError, match=rf"cannot write {tmp_path}/file: not a directory; "):
        place.check()
