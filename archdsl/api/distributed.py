"""One network trained by several processes of a Ray cluster, looked at from here."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archdsl.api.run_training import Nobody, run_training
from archdsl.runners.interfaces import RunnerError
from archdsl.runners.profile import RayProfile, RunProfile

if TYPE_CHECKING:
    from archdsl.training.run import Trained
    from archdsl.training.watch import Watch

TELL_SECONDS = 1.0
"""Between two looks at the steps."""


def train_under(profile: RunProfile, processes: int, *, watch: Watch, **words: Any) -> Trained:
    """Train as a run profile says, in this process or by several of a cluster.

    Args:
        profile: names data sets, and perhaps a cluster.
        processes: how many.
        watch: looks on.
        words: the others of `run_training`.

    Raises:
        RunnerError: several, and the profile names no cluster, or that is not as it must be.
    """
    if processes > 1:
        return _train_together(profile=profile, processes=processes, watch=watch, **words)
    return run_training(**words, names=profile.data, watch=watch)


def _train_together(
    *, profile: RunProfile, processes: int, folder: Path, watch: Watch, **words: Any
) -> Trained:
    if not isinstance(profile, RayProfile):
        raise RunnerError(
            f"the run profile '{profile.name}' has executor: {profile.executor}, which trains in "
            "this process; name one with executor: ray, or start the processes with torchrun"
        )
    try:
        from archdsl.runners.ray import together
    except ImportError as error:
        raise RunnerError(
            f"the run profile '{profile.name}' needs Ray Train, which cannot be imported "
            f"({str(error).splitlines()[0]}): pip install 'archdsl[ray]'"
        ) from None
    from archdsl.training.bundle import BUNDLE

    folder.parent.mkdir(parents=True, exist_ok=True)
    found = (folder / BUNDLE).exists()
    words = {**words, "folder": folder, "names": profile.data}
    words["threads"] = words["threads"] or profile.training_threads
    if words["device"] == "auto":
        words["device"] = profile.training.device
    together.train_together(
        partial(_part, words),
        profile=profile,
        processes=processes,
        shared=folder.parent,
        hear=lambda what, args, more: getattr(watch, what)(*args, **more),
    )
    if not (folder / BUNDLE).exists():
        raise RunnerError(
            f"{folder} lacks what was trained: the machines of the cluster do not share it; name "
            "a folder that all of them see with -o"
        )
    return replace(run_training(**words, watch=Nobody()), found=found)


def _part(words: Mapping[str, Any], tell: Callable[..., None]) -> None:
    run_training(**words, watch=_Teller(tell))


class _Teller:
    """Tells everything to who looks on elsewhere; see `archdsl.training.watch.Watch`."""

    def __init__(self, tell: Callable[..., None]) -> None:
        self._tell = tell
        self._images, self._told = 0, time.monotonic()

    def say(self, *words: Any) -> None:
        self._tell("say", words, {})

    def on_start(self, *words: Any, **more: Any) -> None:
        self._tell("on_start", words, more)

    def on_step(self, loss: Any, images: int) -> None:
        self._images += images
        if time.monotonic() - self._told > TELL_SECONDS:
            self._tell("on_step", (float(loss), self._images), {})
            self._images, self._told = 0, time.monotonic()

    def on_epoch(self, epoch: Any) -> None:
        self._tell("on_epoch", (epoch,), {})
