"""How long a network takes on this machine: python bench.py [--batch 8] [--threads 4].

Lies beside model.onnx, and needs NumPy and the engine alone, and Python 3.9. It samples as `archdsl
measure` does: in blocks, until the 95 % interval of the median is narrow enough. The file that it
writes is for `archdsl measure --import FILE --db DB`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

import numpy as np

FORM = "bench/1"
MODEL = Path(__file__).with_name("model.onnx")
NETWORK: dict[str, Any] = {}  # name, arch_id, document, image_shape, sha256 of the model
SAMPLING: dict[str, Any] = {}  # figures of `archdsl measure`, and Student's quantiles
Blocks = list[list[float]]


def onnxruntime_call(threads: int) -> tuple[str, Callable[[Any], Any]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(MODEL), options, providers=["CPUExecutionProvider"])
    return f"onnxruntime {onnxruntime.__version__}", lambda images: session.run(
        None, {"images": images}
    )


def openvino_call(threads: int) -> tuple[str, Callable[[Any], Any]]:
    import openvino  # type: ignore[import-not-found, unused-ignore]

    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = openvino.Core().compile_model(str(MODEL), "CPU", settings).create_infer_request()
    version = openvino.__version__.partition("-")[0]
    return f"openvino {version}", lambda images: request.infer([images], share_inputs=True)


ENGINES = {"onnxruntime": onnxruntime_call, "openvino": openvino_call}


def usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor() -> str:
    """Its name, as the system tells it; of a board without one, the board's."""
    told = Path("/proc/cpuinfo")
    if told.is_file():
        for line in told.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() in ("model name", "Model") and value.strip():
                return value.strip()
    board = Path("/proc/device-tree/model")
    if board.is_file():
        return board.read_text(encoding="utf-8", errors="replace").strip("\0 \n")
    return platform.processor() or platform.machine()


def fingerprint(threads: int) -> dict[str, Any]:
    usable, logical = usable_cores(), os.cpu_count()
    return {
        "kind": "cpu",
        "name": processor(),
        "capability": None,
        "driver": None,
        "power_limit_w": None,
        "logical_cores": logical,
        **({} if usable == logical else {"usable_cores": usable}),
        "threads": threads,
        "system": f"{platform.system()} {platform.machine()}",
        "torch": None,
        "cuda": None,
    }


def busy_seconds() -> float | None:
    """For which the cores of this process were not idle; None where the system does not tell."""
    try:
        cores = os.sched_getaffinity(0)
        lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
        steps = os.sysconf("SC_CLK_TCK")
    except (AttributeError, OSError, ValueError):
        return None
    found = {words[0]: words[1:] for words in map(str.split, lines) if words}
    spent = 0.0
    for core in cores:
        user, nice, system, _idle, _wait, *others = map(int, found[f"cpu{core}"][:8])
        spent += (user + nice + system + sum(others)) / steps
    return spent


def interval(blocks: Blocks) -> tuple[float, float, float]:
    """Of the median, and how often it holds it: order statistics, and Student's over the blocks."""
    ordered = sorted(sample for block in blocks for sample in block)
    count, below, rank = len(ordered), 0.0, 0
    while rank <= count // 2:
        more = below + math.exp(
            math.lgamma(count + 1)
            - math.lgamma(rank + 1)
            - math.lgamma(count - rank + 1)
            - count * math.log(2)
        )
        if 2 * more > 1 - SAMPLING["confidence"]:
            if rank == 0:
                below = more
            break
        below, rank = more, rank + 1
    rank = max(rank, 1)
    low, high = ordered[rank - 1], ordered[-rank]
    if len(blocks) > 1:
        medians = [median(block) for block in blocks]
        quantiles = SAMPLING["student"]
        half = quantiles[min(len(blocks) - 2, len(quantiles) - 1)] * stdev(medians)
        half, middle = half / math.sqrt(len(blocks)), fmean(medians)
        low = max(min(low, middle - half), ordered[0])
        high = min(max(high, middle + half), ordered[-1])
    return low, high, max(1 - 2 * below, 0.0)


class Timed:
    """A call, timed in samples and blocks."""

    def __init__(self, call: Callable[[], object], max_seconds: float) -> None:
        self.call, self.max_seconds, self.calls = call, max_seconds, 1
        self.block_seconds = 0.0

    def sample_ms(self) -> float:
        begun = time.perf_counter()
        for _ in range(self.calls):
            self.call()
        return 1e3 * (time.perf_counter() - begun) / self.calls

    def warm_up(self) -> None:
        now, before, spent = self.sample_ms(), math.inf, 0.0
        limit = self.max_seconds * SAMPLING["warm_up_share"]
        while spent < limit and not abs(now - before) <= SAMPLING["warm_tolerance"] * now:
            before = now
            window: list[float] = []
            ended = spent + SAMPLING["warm_window_seconds"]
            while len(window) < SAMPLING["warm_window_samples"] or spent < ended:
                window.append(self.sample_ms())
                spent += window[-1] * self.calls / 1e3
                if spent >= limit:
                    break
            now = median(window)
            self.calls = max(math.ceil(SAMPLING["shortest_sample_ms"] / now), 1)
        five = SAMPLING["block_samples"] * now * self.calls / 1e3
        longest = self.max_seconds / SAMPLING["least_blocks"]
        self.block_seconds = min(max(SAMPLING["block_seconds"], five), longest)

    def block(self) -> tuple[list[float], float | None]:
        """Samples, and how many cores others took meanwhile, where that is known."""
        samples: list[float] = []
        begun, own, busy = time.perf_counter(), time.process_time(), busy_seconds()
        while not samples or time.perf_counter() - begun < self.block_seconds:
            samples.append(self.sample_ms())
        after, used = busy_seconds(), time.process_time() - own
        if busy is None or after is None:
            return samples, None
        return samples, max(after - busy - used, 0.0) / (time.perf_counter() - begun)


def sampled(timed: Timed, precision: float) -> dict[str, Any]:
    """Blocks until the interval is narrow enough, or the time is spent."""
    allowed = max(SAMPLING["foreign_cores"], SAMPLING["foreign_share"] * usable_cores())
    kept: Blocks = []
    disturbed: Blocks = []
    most: float | None = None
    begun, patience = time.perf_counter(), SAMPLING["patience_share"]

    def precise() -> bool:
        low, high, coverage = interval(kept)
        middle = median(sample for block in kept for sample in block)
        known: bool = coverage >= SAMPLING["confidence"]
        return known and (high - low) / 2 <= precision * middle

    while True:
        samples, others = timed.block()
        most = others if most is None or (others or 0) > most else most
        (disturbed if (others or 0) > allowed else kept).append(samples)
        spent = time.perf_counter() - begun
        if len(kept) >= SAMPLING["least_blocks"]:
            if precise() or spent >= timed.max_seconds:
                break
        elif spent >= (1 + patience) * timed.max_seconds:
            break
    unsteady = []
    if len(kept) < SAMPLING["least_blocks"]:
        kept, disturbed = kept + disturbed, []
        unsteady.append(f"other processes took up to {most or 0:.1f} cores")
    if not precise():
        unsteady.append("the interval did not close in the time given")
    if most is None:
        unsteady.append("what other processes took is not known on this system")
    return {"blocks_ms": kept, "discarded_ms": disturbed, "unsteady": unsteady}


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--batch", type=int, default=1, help="images per call")
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--engine", choices=sorted(ENGINES), default="onnxruntime")
    parser.add_argument("--precision", type=float, default=SAMPLING["precision"])
    parser.add_argument("--max-seconds", type=float, default=SAMPLING["max_seconds"])
    parser.add_argument("-o", "--output", type=Path, default=Path("result.json"))
    asked = parser.parse_args()
    if min(asked.batch, asked.threads) < 1 or min(asked.precision, asked.max_seconds) <= 0:
        parser.error("--batch, --threads, --precision and --max-seconds are above 0")
    if hashlib.sha256(MODEL.read_bytes()).hexdigest() != NETWORK["sha256"]:
        parser.error(f"{MODEL} is not the file that this script was exported with")
    try:
        engine, call = ENGINES[asked.engine](asked.threads)
    except ImportError:
        parser.error(f"{asked.engine} is not installed here: pip install {asked.engine}")
    shape = (asked.batch, *NETWORK["image_shape"])
    images = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    timed = Timed(lambda: call(images), asked.max_seconds)
    timed.sample_ms()
    timed.warm_up()
    found = sampled(timed, asked.precision)
    samples = [sample for block in found["blocks_ms"] for sample in block]
    low, high, _ = interval(found["blocks_ms"])
    result = {
        "form": FORM,
        "network": {name: NETWORK[name] for name in ("name", "arch_id", "document")},
        "protocol": {
            "batch": asked.batch,
            "dtype": "float32",
            "heads": "predicted",
            "tf32": False,
            "backend": asked.engine,
            "engine": engine,
            "threads": asked.threads,
            "fingerprint": fingerprint(asked.threads),
        },
        **found,
        "calls_per_sample": timed.calls,
        "system_release": platform.release(),
        "measured_at": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
    }
    asked.output.write_text(json.dumps(result) + "\n", encoding="utf-8")
    name, batch, middle = NETWORK["name"], asked.batch, median(samples)
    print(f"{name}: {middle:.4g} ms per batch of {batch} (median), {engine}")
    print(f"95 % interval {low:.4g} to {high:.4g} ms, {len(samples)} samples")
    for reason in found["unsteady"]:
        print(f"unsteady: {reason}")
    print(f"wrote {asked.output}; to keep it: archdsl measure --import {asked.output} --db DB")


if __name__ == "__main__":
    main()
