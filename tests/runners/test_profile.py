"""Run profiles: the shelf's documents, and times with units."""

from __future__ import annotations

from pathlib import Path

import pytest
from fsspec.registry import known_implementations
from pydantic import ValidationError

from archdsl.document.text import read_file
from archdsl.document.tree import tree_of
from archdsl.errors import DocumentError
from archdsl.runners import profile as module
from archdsl.runners.profile import LocalProfile, RayProfile, RunProfile
from archdsl.runners.read import profile_of

SHELF = Path(__file__).parents[2] / "runners"
LEAST = {"archdsl": 1, "kind": "runner", "name": "x", "executor": "local"}


@pytest.mark.parametrize("path", sorted(SHELF.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_profile_of_the_shelf_is_valid_and_named_as_its_file(path: Path) -> None:
    profile = profile_of(read_file(path))
    assert profile.name == path.stem


def test_defaults() -> None:
    profile = RunProfile.model_validate(LEAST)
    assert profile.training.device == "auto"
    assert profile.storage == "archdsl-files"
    assert profile.data == {}
    assert profile.time_limit_s is None


@pytest.mark.parametrize(
    ("kind", "words", "threads"),
    [
        (LocalProfile, {}, 6),
        (LocalProfile, {"workers": 2}, 3),
        (LocalProfile, {"workers": 4}, 1),
        (LocalProfile, {"workers": 16}, 1),
        (RayProfile, {}, 1),
        (RayProfile, {"training": {"cpus": 4}}, 4),
        (RayProfile, {"training": {"cpus": 0.5}}, 1),
        (RayProfile, {"training": {"cpus": 0, "gpus": 0.25}}, 1),
    ],
)
def test_a_training_has_the_cores_of_its_slot(
    monkeypatch: pytest.MonkeyPatch, kind: type[RunProfile], words: dict[str, object], threads: int
) -> None:
    monkeypatch.setattr(module, "usable_cores", lambda: 6)
    executor = "local" if kind is LocalProfile else "ray"
    assert kind.model_validate(LEAST | {"executor": executor} | words).training_threads == threads


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30min", 1800), ("2h", 7200), ("1.5 h", 5400)]
)
def test_times_have_units(text: str, seconds: float) -> None:
    assert RunProfile.model_validate(LEAST | {"time_limit": text}).time_limit_s == seconds


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (30, "30 has no unit, and 30 seconds are not 30 minutes; write 30s, 30min or 30h"),
        (1.5, "1.5 has no unit"),
        ("30", "'30' is not a time"),
        ("0s", "a number above 0"),
        ("30 m", "its unit: 90s, 30min or 2h"),
        ("-3s", "is not a time"),
        (True, "is not a time"),
    ],
)
def test_other_times_are_refused_with_the_reason(value: object, reason: str) -> None:
    with pytest.raises(ValidationError) as caught:
        RunProfile.model_validate(LEAST | {"time_limit": value})
    assert reason in str(caught.value)


def test_the_name_of_the_embedded_data_is_refused_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "archdsl: 1\nkind: runner\nname: x\nexecutor: local\n"
        "data: {mine: 'npz:mine.npz', digits: 'npz:other.npz'}\n"
    )
    with pytest.raises(DocumentError) as caught:
        profile_of(read_file(path))
    (problem,) = caught.value.problems
    assert (problem.path, problem.line) == ("data.digits", 5)
    assert problem.message.endswith("belongs to the embedded data; choose another name")


@pytest.mark.parametrize(
    "words",
    [
        {"executor": "cloud"},
        {"kind": "study"},
        {"training": {"device": "tpu"}},
        {"epochs": 3},
        {"data": {"flowers": 3}},
        {"storage": ""},
        {"storage": "foo://bucket/folder"},
        {"workers": 0},
        {"concurrent": 2},
        {"training": {"gpus": 1}},
    ],
)
def test_what_is_no_profile_is_refused(words: dict[str, object]) -> None:
    with pytest.raises(DocumentError):
        profile_of(tree_of(LEAST | words, source="a.yaml"))


def test_the_executor_decides_which_words_there_are() -> None:
    local = profile_of(tree_of(LEAST | {"workers": 3}, source="a.yaml"))
    ray = profile_of(tree_of(LEAST | {"executor": "ray", "concurrent": 3}, source="a.yaml"))
    assert isinstance(local, LocalProfile) and local.workers == 3
    assert isinstance(ray, RayProfile) and ray.training.cpus == 1
    assert ray.address is None and ray.latency_lane is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"executor": "rey", "address": "auto"}, "'rey' is not one of: local, ray"),
        ({"address": "ray://head:10001"}, "run the search on a machine of the cluster"),
        ({"address": "head"}, "'head' is no address; write auto"),
        ({"storage": "foo://bucket"}, "'foo' is not one of: file, s3, gs, az, "),
        ({"storage": "fil://bucket"}, "and others that fsspec knows; did you mean 'file'?"),
        ({"storage": "my+sql://me:secret@host/a"}, "'my+sql' is not one of: file, s3, "),
        ({"storage": "gone://bucket"}, "gone:// needs a package that is not installed: Install go"),
        ({"storage": "memory://files"}, "memory:// is a place inside one process"),
        ({"storage": "file://"}, "'file://' names no folder; write file://PLACE/FOLDER"),
        ({"storage": "simplecache::file:///a"}, "is several file systems in one; name the one"),
        ({"storage": "sftp://me:secret@host/a"}, "for example as FSSPEC_SFTP_PASSWORD"),
        ({"training": {"gpus": 1.5}}, "1.5 is neither a share of one (0.25) nor whole ones"),
        ({"training": {"cpus": 0}}, "must hold something"),
        ({"training": {"device": "cuda"}}, "device cuda needs gpus above 0"),
        ({"latency_lane": {"gpus": 0.5}}, "0.5 is not a whole number"),
        ({"latency_lane": {"accelerator_type": "A100"}}, "accelerator_type needs gpus: 1"),
        ({"concurrent": 0}, "0 is below 1"),
        ({"workers": 2}, "belongs to executor: local, which this is not"),
        ({"worker": 2}, "unknown key; known here: archdsl, kind, name, executor"),
        ({"address": "head:99999"}, "'head:99999' is no address: ports go from 1 to 65535"),
        ({"address": "head:0"}, "ports go from 1 to 65535"),
        ({"training": {"device": "gpu"}}, "not one of: auto, cpu, cuda; did you mean 'cuda'?"),
    ],
)
def test_profiles_for_ray_say_what_is_wrong(
    gone: None, words: dict[str, object], message: str
) -> None:
    with pytest.raises(DocumentError) as caught:
        profile_of(tree_of({**LEAST, "executor": "ray", **words}, source="a.yaml"))
    (problem,) = caught.value.problems
    assert message in problem.message
    assert "secret" not in problem.message


@pytest.mark.parametrize(
    "words",
    [
        {"address": "auto"},
        {"latency_lane": {"gpus": 1}},
        {"concurrent": 2},
        {"training": {"cpus": 2}},
    ],
)
def test_words_of_another_executor_are_no_misspellings(words: dict[str, object]) -> None:
    with pytest.raises(DocumentError) as caught:
        profile_of(tree_of({**LEAST, **words}, source="a.yaml"))
    (problem,) = caught.value.problems
    assert problem.message == "belongs to executor: ray, which this is not"


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A protocol whose package is not installed, as `s3` is without s3fs."""
    known = {"class": "archdsl_gone.GoneFileSystem", "err": "Install gonefs to reach places"}
    monkeypatch.setitem(known_implementations, "gone", known)


@pytest.mark.parametrize("url", ["file:///shared/files", "ftp://host/files"])
def test_storage_may_be_a_url(url: str) -> None:
    assert profile_of(tree_of(LEAST | {"storage": url}, source="a.yaml")).storage == url


@pytest.mark.parametrize("address", ["auto", "head:6379", "10.0.0.1:6379", "[::1]:6379"])
def test_addresses(address: str) -> None:
    words = LEAST | {"executor": "ray", "address": address}
    profile = profile_of(tree_of(words, source="a.yaml"))
    assert isinstance(profile, RayProfile) and profile.address == address
