"""What is known of the files of a folder, and from where."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from archdsl.training.data.manifest import Manifest, Trait
from archdsl.training.data.manifest_cache import cache_folder
from archdsl.training.data.scan import read_manifest

LONG_AGO = 1_600_000_000


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ARCHDSL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Twelve pictures in two folders, last changed long ago."""
    for folder in ("a", "b"):
        (tmp_path / "root" / folder).mkdir(parents=True)
        for number in range(6):
            write(tmp_path / "root" / folder / f"{number}.png", shade=number)
    return tmp_path / "root"


def write(path: Path, *, shade: int, time: float = LONG_AGO) -> None:
    Image.new("L", (8, 8), shade).save(path)
    os.utime(path, (time, time))


def read(root: Path) -> Manifest:
    return read_manifest(root, ["a", "b"])


def digests(manifest: Manifest) -> list[bytes]:
    return [row["digest"].tobytes() for row in manifest.rows]


def test_a_file_is_read_once(root: Path) -> None:
    first, second = read(root), read(root)
    assert (first.read, second.read) == (12, 0)
    assert digests(first) == digests(second)
    assert [second.name(i) for i in (0, 5, 6)] == ["a/0.png", "a/5.png", "b/0.png"]
    assert second.place(11) == root / "b/5.png"
    assert list(second.counts) == [6, 6]
    assert second.has(Trait.PICTURE).all()
    assert (second.rows["height"] == 8).all()


def test_a_folder_has_one_manifest_by_whatever_name(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(root)
    (root.parent / "link").symlink_to(root)
    assert read(root.parent / "link").read == 0
    monkeypatch.chdir(root)
    assert read(Path()).read == 0
    assert read(Path()).name(0) == "a/0.png"


def change_content(root: Path) -> None:
    write(root / "a/3.png", shade=99, time=LONG_AGO + 1)


def change_size(root: Path) -> None:
    Image.effect_noise((8, 8), 50).save(root / "a/3.png")
    os.utime(root / "a/3.png", (LONG_AGO, LONG_AGO))


def add(root: Path) -> None:
    write(root / "a/33.png", shade=99)


def swap_names(root: Path) -> None:
    (root / "a/3.png").rename(root / "a/aside")
    (root / "b/4.png").rename(root / "a/3.png")
    os.utime(root / "a/3.png", (LONG_AGO + 1, LONG_AGO + 1))
    (root / "a/aside").rename(root / "b/4.png")
    os.utime(root / "b/4.png", (LONG_AGO + 1, LONG_AGO + 1))


@pytest.mark.parametrize(
    ("change", "read_again"), [(change_content, 1), (change_size, 1), (add, 1), (swap_names, 2)]
)
def test_what_changed_is_read_again(
    root: Path, change: Callable[[Path], None], read_again: int
) -> None:
    before = digests(read(root))
    change(root)
    after = read(root)
    assert after.read == read_again
    assert digests(after) != before
    assert read(root).read == 0


def test_what_went_away_is_not_there(root: Path) -> None:
    read(root)
    (root / "a/3.png").unlink()
    after = read(root)
    assert (len(after), after.read) == (11, 0)
    write(root / "a/3.png", shade=3)
    assert read(root).read == 1


def test_a_file_that_may_be_changed_in_the_same_instant_is_read_again(root: Path) -> None:
    Image.new("L", (8, 8), 77).save(root / "a/3.png")
    assert read(root).read == 12
    assert read(root).read == 1


def test_processes_that_ask_at_once_read_once(root: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(read, [root] * 4))
    assert sum(each.read for each in found) == 12


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04" + bytes(100)])
def test_a_damaged_manifest_is_made_anew(root: Path, cache: Path, content: bytes) -> None:
    read(root)
    (kept,) = (cache / "manifests").glob("*.npz")
    kept.write_bytes(content)
    assert read(root).read == 12
    assert read(root).read == 0


def test_where_nothing_can_be_kept_files_are_read_each_time(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root.parent / "file").write_text("")
    monkeypatch.setenv("ARCHDSL_CACHE", str(root.parent / "file"))
    assert (read(root).read, read(root).read) == (12, 12)


def test_what_was_read_before_a_broken_file_is_kept(root: Path) -> None:
    for name in ("a/2.png", "b/5.png"):
        (root / name).write_bytes(b"broken")
        os.utime(root / name, (LONG_AGO, LONG_AGO))
    for _ in range(2):
        broken = read(root).broken
        assert [str(each).partition("(")[2] for each in broken.values()] == [
            "it holds no picture); replace or remove it"
        ] * 2
        assert [read(root).name(index) for index in broken] == ["a/2.png", "b/5.png"]
    write(root / "a/2.png", shade=1)
    write(root / "b/5.png", shade=1)
    assert read(root).read == 2


def test_the_cache_lies_where_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARCHDSL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/archdsl")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path("~/.cache/archdsl").expanduser()
