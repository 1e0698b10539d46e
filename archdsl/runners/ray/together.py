"""One network trained by several processes of a cluster together: Ray Train."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from functools import partial
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError
from ray.train import RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer
from ray.util.queue import Empty, Queue

from archdsl.errors import ArchdslError
from archdsl.runners.evaluation import one_line
from archdsl.runners.interfaces import RunnerError
from archdsl.runners.profile import RayProfile
from archdsl.runners.ray.connect import connect, leave
from archdsl.runners.ray.processes import RayProcesses
from archdsl.runners.ray.resources import check_room, slot_resources
from archdsl.runners.ray.survey import machines

Tell = Callable[..., None]
"""Sends on what is told; whatever can be pickled."""

_HEAR_SECONDS = 0.5
_REFUSED = "refused"


def train_together(
    part: Callable[[Tell], None],
    *,
    profile: RayProfile,
    processes: int,
    shared: Path,
    hear: Callable[..., None],
) -> None:
    """Run `part` in several processes that torch.distributed knows of, until all have ended.

    Args:
        part: what each of them does; it is pickled. It is given a function to tell with.
        profile: names the cluster, and what each process holds of it.
        processes: how many.
        shared: a folder that is there, and that all machines see.
        hear: called here, in this thread, with all that is told.

    Raises:
        RunnerError: there is no such cluster, no room for them, or a process was lost.
        ArchdslError: what one of them refuses.
    """
    connect(profile.address)
    rays = RayProcesses()
    try:
        with rays.needed(), redirect_stdout(sys.stderr):
            alone = profile.model_copy(update={"latency_lane": None, "concurrent": processes})
            check_room(machines(), alone)
            with tempfile.TemporaryDirectory(
                dir=shared.absolute(), prefix=".ray-", ignore_cleanup_errors=True
            ) as folder:
                _follow(part, alone, folder, hear)
    finally:
        with rays.leaving():
            leave()


def _follow(
    part: Callable[[Tell], None], profile: RayProfile, folder: str, hear: Callable[..., None]
) -> None:
    """Hear what is told until the training has ended.

    It is begun in a process of Ray's: Ctrl-C in this one would have Ray end the program.
    """
    told = Queue(actor_options={"num_cpus": 0})
    put = told.put  # the queue's actor goes along
    fitting = ray.remote(num_cpus=0)(_fit).remote(part, put, str(Path.cwd()), profile, folder)
    while _heard(told, hear) or not ray.wait([fitting], timeout=0)[0]:
        pass
    try:
        ray.get(fitting)
    except RayError as error:
        raise RunnerError(
            f"training by {profile.concurrent} processes ended early: {one_line(error)}; what is "
            "kept of it is in its folder, and the same command goes on from there"
        ) from error


def _fit(
    part: Callable[[Tell], None],
    put: Callable[[Any], None],
    current: str,
    profile: RayProfile,
    folder: str,
) -> None:
    gpus = bool(profile.training.gpus)
    TorchTrainer(
        partial(_take_part, part, put, current),
        scaling_config=ScalingConfig(
            num_workers=profile.concurrent or 1,
            use_gpu=gpus,
            resources_per_worker=slot_resources(profile.training),
        ),
        torch_config=TorchConfig(backend="cpu:gloo,cuda:nccl" if gpus else "gloo"),
        run_config=RunConfig(storage_path=folder),
    ).fit()


def _heard(told: Queue, hear: Callable[..., None]) -> bool:
    """Pass on one thing that was told; False where there is none for a while."""
    try:
        what, *words = told.get(timeout=_HEAR_SECONDS)
    except Empty:
        return False
    if what == _REFUSED:
        raise words[0]
    hear(what, *words)
    return True


def _take_part(part: Callable[[Tell], None], put: Callable[[Any], None], folder: str) -> None:
    with suppress(OSError):  # a machine without that folder has no use for relative paths
        os.chdir(folder)

    def tell(*words: Any) -> None:
        put(words)

    try:
        part(tell)
    except ArchdslError as error:
        tell(_REFUSED, error)
        raise
