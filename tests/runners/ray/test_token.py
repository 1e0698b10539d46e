"""Clusters that want a token, as `ray start` has them wherever it finds one."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray.tune", reason="an extra")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
CODE = "from archdsl.cli.main import app_main; app_main()"
PROFILE = """\
archdsl: 1
kind: runner
name: there
executor: ray
address: {address}
storage: files
"""
Doctor = Callable[..., "subprocess.CompletedProcess[str]"]


def environment(home: Path, **variables: str) -> dict[str, str]:
    """Of a user who has said nothing of tokens."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return kept | {"HOME": str(home), "PYTHONPATH": str(ROOT), **variables}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("home")
    (made / ".ray").mkdir()
    (made / ".ray" / "auth_token").write_text(secrets.token_hex(32))
    return made


@pytest.fixture(scope="module")
def cluster(home: Path, ray_head: Any) -> Iterator[str]:
    """The address of a machine that was started by hand, by somebody who has a token."""
    with ray_head(environment(home)) as head:
        assert "Token authentication is enabled" in head.said
        yield head.address


@pytest.fixture
def doctor(tmp_path: Path, cluster: str) -> Doctor:
    def asked(home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "there.yaml").write_text(PROFILE.format(address=cluster))
        return subprocess.run(
            [sys.executable, "-c", CODE, "doctor", "--runner", "there"],
            env=environment(home, **variables),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return asked


def test_the_token_of_the_user_is_shown_to_a_cluster_that_asks_for_it(
    doctor: Doctor, home: Path
) -> None:
    done = doctor(home)
    assert re.search(r"ok +slots +1 training at once", done.stdout)
    assert "BAD" not in done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize(
    "variables",
    [{}, {"RAY_AUTH_MODE": "token"}, {"RAY_AUTH_MODE": "disabled"}, {"RAY_AUTH_TOKEN": "x" * 64}],
)
def test_without_the_token_one_sentence_says_what_to_do(
    doctor: Doctor, cluster: str, tmp_path: Path, variables: Mapping[str, str]
) -> None:
    done = doctor(tmp_path, **variables)
    [line] = [line for line in done.stdout.splitlines() if line.startswith("BAD")]
    assert f"the Ray cluster at {cluster} wants a token: put the same ~/.ray/auth_token" in line
    assert line.endswith("on every machine and export RAY_AUTH_MODE=token")
    assert done.returncode
    assert "AuthenticationError" not in done.stdout + done.stderr


def test_the_job_of_a_batch_system_does_not_wait_for_ever(home: Path, tmp_path: Path) -> None:
    """Its commands are stand-ins, of which `ray` says whether it was told to show the token."""
    said = {
        "scontrol": "echo here",
        "srun": "exit 0",
        "ray": 'echo "mode ${RAY_AUTH_MODE:-unset}" >&2; exit 1',
    }
    for name, line in said.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{line}\n")
        (tmp_path / name).chmod(0o755)
    variables = {"SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "here", "ARCHDSL_DB": "a.db"}
    room = {"SLURM_CPUS_PER_TASK": "1", "SLURM_GPUS_PER_NODE": "0"}
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", str(ROOT / "runners" / "slurm-ray.sh"), "study.yaml"],
        # SECONDS: bash counts from there.
        env=environment(home, **variables, **room, PATH=path, SECONDS="301"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "no Ray cluster answers at here:20007 after 5 minutes; the last answer:",
        "mode token",
    ]
