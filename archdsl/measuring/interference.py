"""Was the device ours alone while a block was timed? The probe, foreign load and clocks say."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch

from archdsl.measuring.load import UNKNOWN, CpuLoad, GpuLoad, GpuReading, Load
from archdsl.measuring.probe import ProbeBaseline, control_probe

T = TypeVar("T")
"""What is taken of each thing in a round: a block of samples, or one sample."""
PROBE_TOLERANCE = 1.05
"""Of a probe over the calmest. On a quiet virtual machine the probes of one process lie within 3 %
of each other; what slows the probe down by 5 % slows a network down by about as much."""
FOREIGN_CORES = 0.25
"""Others may take this much of one core: the counters' steps come to some 0.15 in a block."""
FOREIGN_SHARE = 0.05
"""Or this share of all cores, whichever is more: what a large host's services take."""
FOREIGN_GPU_PERCENT = 5.0
"""Of a GPU's time that others may take: a screen's share, below a block's own spread."""
PATIENCE_SHARE = 0.5
"""Of a measurement's `max_seconds`, for blocks that are discarded and the pauses after them."""
ONE_THREAD = (
    "beside others' load a call waits for the slowest of its {} threads: `threads: 1` "
    "(--threads 1) is disturbed least"
)
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Block:
    """Samples and what the device was like around them.

    Args:
        samples_ms: as they were taken.
        probe_ms: probes right before and right after.
        load: of the processors.
        gpu: of the GPU.
    """

    samples_ms: Sequence[float]
    probe_ms: tuple[float, float]
    load: Load
    gpu: GpuReading = UNKNOWN


class InterferenceMonitor:
    """Times blocks between probes and says which of them can be trusted.

    To be made while the device is locked and warm; `close` keeps what was learnt.

    Args:
        device: where the blocks run.
        protocol: what they are timed under: the device's `fingerprint`, and `threads`.
        max_seconds: of the measurement; half of it is spent on discarded blocks at the most.
    """

    def __init__(
        self,
        device: torch.device,
        *,
        protocol: Mapping[str, Any],
        max_seconds: float,
    ) -> None:
        self._on_gpu = device.type == "cuda"
        self._baseline = ProbeBaseline(protocol["fingerprint"])
        self._probe = control_probe(device)
        self._patience = PATIENCE_SHARE * max_seconds
        self._pause = FIRST_PAUSE_SECONDS
        self._gpu = GpuLoad(device) if self._on_gpu else None
        self._threads = protocol["threads"]
        self._load = CpuLoad(threads=self._threads)
        self.begin()

    def begin(self) -> None:
        """Probe now: what happened until now is no block's."""
        self._before = self._probed()
        self._load.read()
        if self._gpu:
            self._gpu.read()

    def block(self, take: Callable[[], Sequence[float]]) -> Block:
        """Samples between two probes; after a disturbed block, a pause for the disturbance to end.

        Args:
            take: times one block, samples in ms.
        """
        started = time.perf_counter()
        samples = take()
        before, self._before = self._before, self._probed()
        block = Block(
            samples_ms=samples,
            probe_ms=(before, self._before),
            load=self._load.read(),
            gpu=self._gpu.read() if self._gpu else UNKNOWN,
        )
        if self.disturbances(block) and self.may_retry:
            time.sleep(self._pause)
            self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
            self.begin()
            self._patience -= time.perf_counter() - started
        return block

    @property
    def may_retry(self) -> bool:
        """Whether there is time left for other blocks in place of disturbed ones."""
        return self._patience > 0

    def disturbances(self, block: Block) -> dict[str, str]:
        """Why a block's samples may be wrong: kind to words; empty where all is well.

        Asked again later it may say more: the calmest probe may have come after the block.
        """
        found = {}
        ratio = max(block.probe_ms) / self._baseline.ms
        if ratio > PROBE_TOLERANCE:
            found["probe"] = f"the control probe took {ratio:.2f} times its calmest time here"
        foreign, own = block.load.foreign_cores, block.load.own_cores
        # A GPU is fed by one thread of the host, which others' work elsewhere does not hold up.
        tolerated = max(FOREIGN_CORES, FOREIGN_SHARE * self._load.cores)
        if not self._on_gpu and foreign is not None and foreign > tolerated:
            found["foreign"] = f"other processes took {foreign:.2f} of {self._load.cores} cores"
        if not self._on_gpu and own > FOREIGN_CORES:
            found["own"] = f"other threads of this process took {own:.2f} cores"
        if (block.gpu.foreign_percent or 0.0) > FOREIGN_GPU_PERCENT:
            found["gpu"] = f"other processes took {block.gpu.foreign_percent:.0f} % of the GPU"
        if block.gpu.throttled:
            found["throttled"] = "heat or missing power held the GPU's clock down"
        return found

    def describe(self, blocks: Sequence[Block]) -> list[str]:
        """What disturbed blocks in words, one line for each kind, and what helps against it."""
        found = [self.disturbances(block) for block in blocks]
        lines = {}
        for kind in dict.fromkeys(kind for each in found for kind in each):
            words = [each[kind] for each in found if kind in each]
            lines[kind] = f"{words[-1]} ({len(words)} of {len(blocks)} blocks)"
        hint = self._threads > 1 and not self._on_gpu and lines.keys() & {"probe", "foreign"}
        return [*lines.values(), *([ONE_THREAD.format(self._threads)] if hint else [])]

    def telemetry(self, blocks: Sequence[Block]) -> dict[str, Any]:
        """What was seen beside blocks, as plain data; what nothing here tells is `unknown`."""
        found: dict[str, Any] = {
            "calmest_probe_ms": round(self._baseline.ms, 6),
            "probe_ms": [[round(ms, 6) for ms in block.probe_ms] for block in blocks],
            "foreign_cores": _or_unknown([block.load.foreign_cores for block in blocks]),
            "cores": self._load.cores,
        }
        if self._on_gpu:
            found |= {
                "foreign_gpu_percent": _or_unknown([block.gpu.foreign_percent for block in blocks]),
                "throttled": _or_unknown([block.gpu.throttled for block in blocks]),
                "clock_mhz": _or_unknown([block.gpu.clock_mhz for block in blocks]),
            }
        return found

    def close(self) -> None:
        """Keep the calmest probe for later measurements.

        Raises:
            WriteError: the folder of the locks refuses the file.
        """
        self._baseline.store()

    def _probed(self) -> float:
        ms = self._probe.time_ms()
        self._baseline.add(ms)
        return ms


def _or_unknown(values: Sequence[float | bool | None]) -> Any:
    known = [value for value in values if value is not None]
    if not known:
        return "unknown"
    return [value if isinstance(value, bool | int) else round(value, 3) for value in known]


@dataclass(frozen=True, kw_only=True)
class Rounds(Generic[T]):
    """Rounds, each of one `T` for each thing, in their order.

    Args:
        kept: that count.
        discarded: that were disturbed, where enough others were not.
        undisturbed: enough rounds were; else the kept ones are all that were taken.
    """

    kept: Sequence[tuple[T, ...]]
    discarded: Sequence[tuple[T, ...]] = ()
    undisturbed: bool = True


def take_rounds(
    takes: Sequence[Callable[[], T]],
    *,
    enough: Callable[[Sequence[tuple[T, ...]]], bool],
    disturbed: Callable[[T], object] = lambda taken: False,
    give_up: Callable[[Sequence[tuple[T, ...]], int], bool] = lambda taken, undisturbed: False,
) -> Rounds[T]:
    """Take rounds until there are enough that nothing disturbed.

    Args:
        takes: takes one `T` of each thing.
        enough: whether undisturbed rounds are; asked before each further round.
        disturbed: whether a `T` is not to be trusted; asked again and again, for what comes later
            may tell more of what was taken before.
        give_up: whether it is no use to go on, from all rounds taken and the number of those that
            nothing disturbed.
    """
    taken: list[tuple[T, ...]] = []
    while True:
        calm = [each for each in taken if not any(map(disturbed, each))]
        if enough(calm):
            rest = [each for each in taken if each not in calm]
            return Rounds(kept=calm, discarded=rest)
        if give_up(taken, len(calm)):
            return Rounds(kept=taken, undisturbed=False)
        taken.append(tuple(take() for take in takes))
