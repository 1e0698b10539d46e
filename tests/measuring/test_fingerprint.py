"""The identity of this machine, and of GPUs as nvidia-smi tells them."""

from __future__ import annotations

import json
import os

import pytest
import torch

from archdsl import usable_cores
from archdsl.measuring.conditions import Conditions
from archdsl.measuring.devices import applied, find_device, tf32
from archdsl.measuring.fingerprint import fingerprint, fingerprint_id, parse_nvidia

CPU = torch.device("cpu")


def test_it_is_the_same_each_time_and_plain_json() -> None:
    first, second = fingerprint(CPU), fingerprint(CPU)
    assert first == second == json.loads(json.dumps(first))
    assert fingerprint_id(first) == fingerprint_id(second)
    assert len(fingerprint_id(first)) == 16


def test_it_tells_the_machine_and_the_software() -> None:
    found = fingerprint(CPU)
    assert found["kind"] == "cpu"
    assert found["name"]
    assert found["logical_cores"] == os.cpu_count()
    assert found["torch"] == torch.__version__


def test_the_number_of_threads_is_identity_and_comes_back() -> None:
    before = torch.get_num_threads()
    conditions = Conditions(device="cpu", batch=1, threads=before + 1)
    with applied(conditions, CPU):
        inside = fingerprint(CPU)
    assert inside["threads"] == before + 1
    assert torch.get_num_threads() == before
    assert fingerprint_id(inside) != fingerprint_id(fingerprint(CPU))


def test_fewer_usable_cores_are_identity_and_all_of_them_leave_it_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(usable_cores, "affinity", lambda: frozenset(range(64)))
    everything = fingerprint(CPU)
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "4")
    few = fingerprint(CPU)
    assert "usable_cores" not in everything
    assert few == {**everything, "usable_cores": 4}
    assert fingerprint_id(few) != fingerprint_id(everything)


def test_torchs_own_threads_are_bounded_by_the_usable_cores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = torch.get_num_threads()
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(usable_cores, "affinity", lambda: frozenset(range(64)))
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "2")
    torch.set_num_threads(8)
    try:
        with applied(Conditions(device="cpu", batch=1), CPU):
            assert torch.get_num_threads() == 2
        with applied(Conditions(device="cpu", batch=1, threads=5), CPU):
            assert torch.get_num_threads() == 5, "what a study says stays"
        assert torch.get_num_threads() == 8
        monkeypatch.delenv("SLURM_CPUS_PER_TASK")
        with applied(Conditions(device="cpu", batch=1), CPU):
            assert torch.get_num_threads() == 8, "nothing restricts the process"
    finally:
        torch.set_num_threads(before)


NVIDIA = """\
GPU-11111111-aaaa, 550.54.15, 400.00
GPU-22222222-bbbb, 550.54.15, [N/A]
"""


@pytest.mark.parametrize(
    ("uuid", "expected"),
    [
        ("11111111-aaaa", ("550.54.15", 400.0)),
        ("GPU-11111111-aaaa", ("550.54.15", 400.0)),
        ("22222222-bbbb", ("550.54.15", None)),
        ("MIG-33333333", ("550.54.15", None)),
    ],
)
def test_driver_and_power_limit_of_the_gpu_asked_for(
    uuid: str, expected: tuple[str | None, float | None]
) -> None:
    assert parse_nvidia(NVIDIA, uuid) == expected


def test_no_answer_of_nvidia_smi_is_no_identity() -> None:
    assert parse_nvidia("No devices were found\n", "11111111-aaaa") == (None, None)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_is_found_by_a_part_of_its_name() -> None:
    name = torch.cuda.get_device_name(0)
    found = find_device(name.split()[-1].lower())
    assert found.type == "cuda"
    assert fingerprint(found)["name"] == name


@pytest.mark.parametrize("allowed", [True, False])
def test_tf32_is_set_back(allowed: bool) -> None:
    def state() -> tuple[bool, bool]:
        return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32

    before = state()
    with tf32(allowed):
        pass
    assert state() == before
