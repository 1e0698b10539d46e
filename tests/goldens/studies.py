"""What is measured and searched in the goldens; `make.py` keeps it beside what comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from documents import BASE, Document, described

CPU: Document = {"device": "cpu", "batch": 64}
CUDA: Document = {"device": "cuda", "batch": 256}

# Every word by itself at its default, and away from it.
MEMORY: Sequence[Document] = (
    CPU,
    {**CPU, "batch": 1},
    {**CPU, "dtype": "float32"},
    {**CPU, "autocast": False},
    {**CPU, "channels_last": False},
    {**CPU, "heads": "all"},
    {**CPU, "dtype": "bfloat16"},
    {**CPU, "dtype": "float16"},
    {**CPU, "dtype": "bfloat16", "autocast": True},
    {**CPU, "channels_last": True},
    {**CPU, "heads": "predicted"},
    {**CPU, "device": "any"},
)
LATENCY: Sequence[Document] = (
    *MEMORY,
    CUDA,
    {**CPU, "tf32": False},
    {**CPU, "threads": None},
    {**CPU, "compile": None},
    {**CPU, "cuda_graphs": False},
    {**CPU, "precision": 0.01, "max_seconds": 8.0},
    {**CPU, "precision": 0.05, "max_seconds": 0.5},
    {**CPU, "threads": 1},
    {**CPU, "compile": "default"},
    {**CPU, "compile": "max-autotune"},
    {**CUDA, "compile": "reduce-overhead", "dtype": "float16", "channels_last": True},
    {**CUDA, "device": "A100", "tf32": True},
    {**CUDA, "cuda_graphs": True},
)
TRAINING: Document = {"data": "digits", "recipe": "small-images"}
TOP1: Sequence[Document] = (
    TRAINING,
    {**TRAINING, "epochs": 30},
    {**TRAINING, "epochs": 15},
    {**TRAINING, "seeds": [0]},
    {**TRAINING, "seeds": [3, 1]},
    {**TRAINING, "split_seed": 0},
    {**TRAINING, "split_seed": 1},
    {**TRAINING, "image_size": 8},
    {**TRAINING, "recipe": {}},
    {**TRAINING, "recipe": {"batch": 128, "lr": 1e-3, "augment": "shift", "clip_grad": None}},
)

TABLE = """\
depth,process.dim,latency,latency_low,latency_high,top1,test_top1,memory,throughput,seconds,repeat
,,2,1.9,2.1,60,59,10,500,1,0
1,32,0.5,0.5,0.5,40,39,11,501,1,0
1,32,0.6,0.5,0.7,41,39,11,501,1,1
2,32,1.5,1.5,1.5,45,44,12,502,1,0
"""
BY_ARCH_ID = "arch_id,latency,top1\n6f3dcea28700a7e9,2,60\n"
TABLES: Sequence[Document] = (
    {"latency": {"table": "values.csv"}, "top1": {"table": "values.csv"}},
    {"latency": {"table": "values.csv", "repeat": 0}},
    {"latency": {"table": "values.csv", "repeat": 1}, "top1": {"table": "values.csv", "repeat": 1}},
    {name: {"table": "values.csv"} for name in ("memory", "latency", "throughput", "top1")},
    {"latency": {"table": "by-arch-id.csv"}, "top1": {"table": "by-arch-id.csv"}},
)
EVALUATE: Sequence[Document] = (
    {"latency": CPU, "throughput": CPU, "memory": CPU, "top1": TRAINING},
    {"latency": {**CPU, "threads": 1, "max_seconds": 1.5}, "top1": {**TRAINING, "epochs": 15}},
    *({"top1": settings} for settings in TOP1),
    *TABLES,
)

TABULAR: Document = {
    "archdsl": 1,
    "kind": "study",
    "name": "tabular",
    "base": "vittm-digits",
    "space": {"depth": {"choose": [1, 2, 3, 4]}, "process": {"dim": {"choose": [32, 64]}}},
    "objectives": {"latency": "minimize", "top1": "maximize"},
    "evaluate": {"latency": {"table": "values.csv"}, "top1": {"table": "values.csv"}},
    "budget": {"trials": 6},
}
EVERYTHING: Document = {
    **TABULAR,
    "name": "everything",
    "base": "linear.yaml",
    "space": {
        "depth": {"range": [1, 7], "step": 2},
        "process": {
            "dim": {"range": [16, 64], "step": 16},
            "block": {"mlp_ratio": {"choose": [0.5, 1, 2]}},
            "embed": {
                "choose": {
                    "patch": {"type": "patch", "patch_size": {"choose": [4, 8]}},
                    "learned": {"type": "learned", "num_tokens": {"choose": [2, 4]}},
                }
            },
        },
        "memory": {"block": {"choose": {"none": None, "mlp": {"type": "mlp", "mlp_ratio": 1}}}},
        "exchange": {"write": {"fusion": {"choose": ["add", "add_erase"]}}},
    },
    "constraints": [
        "process_tokens <= memory_tokens",
        "params_m <= 0.5",
        "latency <= 250us",
        "memory <= 1GiB",
        "throughput >= 10images/s",
    ],
    "objectives": {"top1": "maximize", "latency": "minimize", "params": "minimize"},
    "reference": {"top1": 10, "latency": "50ms", "params": 1e6},
    "evaluate": {
        "latency": {**CUDA, "compile": "default"},
        "memory": {**CUDA, "dtype": "bfloat16", "autocast": True},
        "throughput": {**CUDA, "cuda_graphs": True},
        "top1": {
            "data": "flowers",
            "image_size": [8, 8],
            "seeds": [0, 1],
            "recipe": {"augment": "flip_shift"},
        },
    },
    "sampler": {"type": "nsga2", "seed": 5},
    "stopping": {"type": "front"},
}
WRITTEN: Mapping[str, Document] = {
    "tabular": TABULAR,
    "facts": {
        **TABULAR,
        "name": "facts",
        "objectives": {"params": "minimize", "macs": "maximize"},
        "evaluate": {},
    },
    "everything": EVERYTHING,
    "in-place": {**TABULAR, "name": "in-place", "base": BASE},
    "bases": {**TABULAR, "name": "bases", "base": {"choose": ["linear.yaml", "cross.yaml"]}},
    "baseless": {
        **TABULAR,
        "name": "baseless",
        "base": None,
        "space": {**BASE, "depth": {"choose": [1, 2]}},
    },
    "nulls": {
        **TABULAR,
        "name": "nulls",
        "space": {"memory": {"block": None}, "layers": None, "depth": {"choose": [1, 2]}},
    },
    "asha": {
        **TABULAR,
        "name": "asha",
        "objectives": {"top1": "maximize"},
        "evaluate": {"top1": {**TRAINING, "epochs": 15}},
        "stopping": {"type": "asha", "reduction": 3},
    },
}
FILES: Mapping[str, Any] = {
    "values.csv": TABLE,
    "by-arch-id.csv": BY_ARCH_ID,
    **{f"{name}.yaml": document for name, document in described().items()},
    **{f"study-{name}.yaml": document for name, document in WRITTEN.items()},
}

SETS: Sequence[Sequence[str]] = (
    ["name=other"],
    ["budget.trials=3"],
    ["sampler.type=random"],
    ["evaluate.latency.batch=8", "evaluate.latency.max_seconds=0.2"],
    ["evaluate.latency.compile=default", "evaluate.latency.channels_last=true"],
    ["evaluate.latency.autocast=false", "evaluate.latency.cuda_graphs=false"],
    ["evaluate.top1.epochs=1", "evaluate.top1.seeds=[0, 1]"],
    ["stopping={type: front}"],
    ["stopping={type: front, margin: 0.5, earliest: 3}"],
    ["stopping={type: front, margin: 1, earliest: 2}"],
    ["stopping={type: none}"],
    ["constraints=null"],
    ["reference={latency: 50ms, top1: 10}"],
    ["space.depth={range: [1, 4]}"],
    ["space.memory=null", "space.image.channels=1"],
)


def asked() -> Sequence[Document]:
    """Arguments of `archdsl search`."""
    shelf = ["digits", "vittm-b-a100"]
    models = [
        "vittm-digits", "vittm-b-32-16", "vittm-b-28-28", "vittm-l-32-16", "vit-b-16",
        "deit-b-16-distilled", "lookupvit-b-5", "rev-vit-b", "crossvit-18-dagger",
        *(f"{name}.yaml" for name in described()),
    ]  # fmt: skip
    return [
        *({"what": name} for name in shelf),
        *({"what": f"study-{name}.yaml"} for name in WRITTEN),
        *({"what": "digits", "sets": list(sets)} for sets in SETS),
        {"what": "digits", "trials": 3},
        {"what": "digits", "seed": 9},
        {"what": "digits", "data": "npz:mine.npz"},
        {"what": "digits", "objectives": "latency"},
        {"what": "digits", "objectives": "top1,params"},
        {"what": "vittm-b-a100", "objectives": "latency, macs"},
        *({"what": name, "data": "digits"} for name in models),
        {"what": "vittm-digits", "objectives": "latency,params"},
        {"what": "vittm-digits", "data": "digits", "sets": ["depth=3", "budget.trials=5"]},
    ]
