"""What a compiled model is written as: its document, its plan, its weights."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save

from archdsl.compiler.build import build_plan
from archdsl.compiler.weights.reading import told_of
from archdsl.document.write import to_yaml
from archdsl.errors import ArchdslError
from archdsl.files import write_whole
from archdsl.identity import canonical_json
from archdsl.plan.plan import Plan
from archdsl.spec.model import ModelSpec


def write_compiled(spec: ModelSpec, plan: Plan, folder: Path, *, seed: int) -> list[Path]:
    """Write `spec.yaml`, `plan.json` and `weights.safetensors`, each whole or not at all.

    Args:
        spec: the document; written with defaults left out.
        plan: what it expands to.
        folder: made if it is not there.
        seed: of the initial weights.

    Raises:
        ArchdslError: `folder` is a file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise ArchdslError(f"{folder} is a file; -o names a folder") from None
    paths = [folder / name for name in ("spec.yaml", "plan.json", "weights.safetensors")]
    torch.manual_seed(seed)
    network = build_plan(plan)
    # One entry: safetensors writes several in an order that differs from run to run.
    metadata = {"archdsl": canonical_json({"arch_id": plan.arch_id, "seed": seed, **told_of(plan)})}
    write_whole(paths[2], save(network.state_dict(), metadata=metadata))
    write_whole(paths[0], to_yaml(spec.document()))
    write_whole(paths[1], json.dumps({"arch_id": plan.arch_id, "plan": plan.canonical()}, indent=2))
    return paths
