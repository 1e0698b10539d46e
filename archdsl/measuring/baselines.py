"""What is stored of a baseline as an architecture."""

from __future__ import annotations

from archdsl.compiler.baseline import build_baseline
from archdsl.measuring.count import count
from archdsl.plan.baseline import Baseline
from archdsl.store.rows import Architecture


def architecture_of(baseline: Baseline) -> Architecture:
    """As it is stored: a module, of which the facts are counted."""
    counted = count(build_baseline(baseline, seed=0).eval(), image_shape=baseline.image)
    return Architecture(
        arch_id=baseline.arch_id,
        spec=baseline.document(),
        facts={
            "params": counted.params,
            "params_m": counted.params / 1e6,
            "macs": counted.macs,
            "macs_g": counted.macs / 1e9,
            "macs_fvcore": counted.macs_fvcore,
        },
        kind="module",
        label=baseline.name,
    )
