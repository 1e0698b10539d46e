"""How many trainings a cluster has room for, and what is refused before anything trains."""

from __future__ import annotations

from typing import Any

import pytest

from archdsl.runners.interfaces import RunnerError
from archdsl.runners.profile import RayProfile
from archdsl.runners.ray.resources import Machine, MachineReport, check_machines, check_room, slots

HEAD = Machine(id="a", name="head", resources={"CPU": 4.0, "memory": 1e9, "node:10.0.0.1": 1.0})
A100 = Machine(
    id="b", name="big", resources={"CPU": 16.0, "GPU": 8.0, "accelerator_type:A100": 1.0}
)
T4 = Machine(id="c", name="old", resources={"CPU": 8.0, "GPU": 1.0, "accelerator_type:T4": 1.0})


def profile(**words: Any) -> RayProfile:
    return RayProfile.model_validate(
        {"archdsl": 1, "kind": "runner", "name": "x", "executor": "ray", **words}
    )


@pytest.mark.parametrize(
    ("training", "room"),
    [
        ({"cpus": 1}, {"a": 4, "b": 16, "c": 8}),
        ({"cpus": 0.1}, {"a": 40, "b": 160, "c": 80}),
        ({"cpus": 3}, {"a": 1, "b": 5, "c": 2}),
        ({"cpus": 1, "gpus": 0.25}, {"a": 0, "b": 16, "c": 4}),
        ({"cpus": 0, "gpus": 2}, {"a": 0, "b": 4, "c": 0}),
    ],
)
def test_room_is_what_the_scarcest_resource_leaves(
    training: dict[str, Any], room: dict[str, int]
) -> None:
    assert slots([HEAD, A100, T4], profile(training=training)) == room


def test_the_latency_lane_takes_its_part_of_one_machine() -> None:
    words = profile(
        training={"cpus": 1, "gpus": 0.25}, latency_lane={"gpus": 1, "accelerator_type": "A100"}
    )
    assert slots([HEAD, A100, T4], words) == {"a": 0, "b": 15, "c": 4}
    assert check_room([HEAD, A100, T4], words) == 19


def test_a_device_that_no_machine_has_is_refused_with_what_there_is() -> None:
    words = profile(latency_lane={"gpus": 1, "accelerator_type": "H200"})
    with pytest.raises(RunnerError) as caught:
        check_room([HEAD, A100], words)
    assert str(caught.value) == (
        "the latency lane asks for 1 CPU, 1 GPU, H200, and no machine has that; "
        "there is: head: 4 CPU; big: 16 CPU, 8 GPU (A100)"
    )


def test_more_at_once_than_there_is_room_for_is_refused() -> None:
    assert check_room([HEAD], profile(concurrent=4)) == 4
    with pytest.raises(RunnerError, match="more concurrent trials than slots: 5, and there is"):
        check_room([HEAD], profile(concurrent=5))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"training": {"gpus": 1}}, "asks for 1 CPU, 1 GPU for each training, and no machine has"),
        ({"latency_lane": {"cpus": 4}}, "no machine has that beside the latency lane"),
    ],
)
def test_no_room_at_all_is_refused(words: dict[str, Any], message: str) -> None:
    with pytest.raises(RunnerError, match=message):
        check_room([HEAD], profile(**words))


def looked(version: str = "1.0", storage: bool | None = True, hindrance: str = "") -> MachineReport:
    return MachineReport(
        machine=HEAD, version=version, gpus=(), storage=storage, hindrance=hindrance
    )


def test_machines_with_other_code_or_another_disk_are_refused() -> None:
    check_machines([looked(), looked(storage=None)], version="1.0", storage="files")
    with pytest.raises(RunnerError, match=r"this is archdsl 1\.0.*head has 0\.9; install the same"):
        check_machines([looked(), looked(version="0.9")], version="1.0", storage="files")
    with pytest.raises(RunnerError, match="head cannot see the folder files"):
        check_machines([looked(storage=False)], version="1.0", storage="files")
    with pytest.raises(RunnerError, match=r"the URL s3://b/f, .* go \(no s3fs\); install what the"):
        blind = looked(storage=False, hindrance="no s3fs")
        check_machines([blind], version="1.0", storage="s3://b/f")
