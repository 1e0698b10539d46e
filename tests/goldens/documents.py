"""Small documents which together use every word of the language; `make.py` keeps them whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archdsl.document.merge import merge

Document = dict[str, Any]

BASE: Document = {
    "archdsl": 1,
    "name": "base",
    "image": {"size": 8, "channels": 1},
    "depth": 2,
    "process": {
        "embed": {"type": "patch", "patch_size": 4},
        "dim": 16,
        "block": {"type": "transformer", "head_dim": 8, "mlp_ratio": 1},
    },
    "memory": {"embed": {"type": "patch", "patch_size": 2}},
    "exchange": {
        "read": {"type": "linear_attention", "latent_ratio": 0.5},
        "write": {"type": "linear_attention", "latent_ratio": 0.5},
    },
    "output": {"num_classes": 10},
}


def laid(document: Document, *patches: Document) -> Document:
    """Partial documents over a whole one, each over what is there by then."""
    for patch in patches:
        document = merge(document, patch)
    return document


ALONE: Document = {"memory": None, "exchange": None}
CLS: Document = {"prefix_tokens": ["cls"]}


def exchange(read: Document, write: Document | None, **words: Any) -> Document:
    """The base with other heads."""
    bare = laid(BASE, {"exchange": None})
    heads = {"read": read, "write": write} if write else {"read": read}
    return laid(bare, {"exchange": {**heads, **words}})


def crossing(**words: Any) -> Document:
    return {
        "type": "cross_attention",
        "queries": "cls",
        "keys": "patches",
        "with_query": True,
        "width": "source",
        "fusion": "erase",
        **words,
    }


def described() -> Mapping[str, Document]:
    """Name to document."""
    made = {
        "linear": BASE,
        "linear-published": laid(
            exchange(
                {
                    "type": "linear_attention",
                    "latent_ratio": 0.25,
                    "num_heads": 4,
                    "normalise": False,
                    "out_proj": "used",
                    "fusion": "add_erase",
                },
                {"type": "linear_attention", "out_proj": "allocated", "fusion": "erase"},
            ),
            {"published_layout": True, "layers": [{"at": [-1], "exchange": {"write": None}}]},
        ),
        "cross": laid(
            exchange(
                {"type": "cross_attention", "norms": ["q", "k"], "out_proj": False},
                {
                    "type": "cross_attention",
                    "head_dim": 4,
                    "fusion": {"type": "add_erase", "gate": "per_layer"},
                },
                norm={"placement": "pre", "shared": False},
            ),
            {"memory": {"dim": 32, "block": {"type": "mlp", "mlp_ratio": 0.5}}},
        ),
        "latent-shared": laid(
            exchange(
                {"type": "latent_attention", "latent_ratio": 0.5, "weights": "shared"},
                {"type": "latent_attention", "fusion": "erase", "weights": "shared"},
                norm={"placement": "pre", "weights": "shared"},
            ),
            {
                "depth": 3,
                "process": {"block": {"weights": "shared"}, "blocks": 2},
                "layers": [{"at": {"last": 1}, "exchange": {"read": {"latent_ratio": 1}}}],
            },
        ),
        "summary": laid(
            exchange(
                {"type": "token_summary", "fusion": "erase"},
                {"type": "token_summary", "fusion": "add_erase"},
                norm={"placement": "replace", "shared": False, "weights": "shared"},
            ),
            {"memory": {"dim": 32}},
        ),
        "lookup": laid(
            exchange(
                {
                    "type": "cross_attention",
                    "norms": ["q", "k"],
                    "out_proj": False,
                    "weights": "shared",
                },
                {"type": "tied_attention", "values": "tied", "norm": True, "weights": "shared"},
                norm={"placement": "pre", "shared": False, "weights": "shared"},
            ),
            {
                "process": {"embed": {"type": "downsample", "grid": 2}},
                "memory": {
                    **CLS,
                    "block": {"type": "mlp", "mlp_ratio": 0.5, "norm": False, "weights": "shared"},
                },
                "output": {
                    "pool": {"process": "mean", "memory": "cls"},
                    "norm": {"process": "pooled", "memory": "pooled"},
                },
            },
        ),
        "tied-own": laid(
            exchange(
                {"type": "cross_attention"},
                {"type": "tied_attention", "renormalise": True, "norm": True, "out_proj": True},
                norm={"placement": "none"},
            ),
            {
                "process": {
                    "embed": {"type": "downsample", "grid": [2, 1], "method": "bilinear"},
                },
                "memory": {"dim": 32},
            },
        ),
        "tied-borrowed": exchange(
            {"type": "cross_attention"},
            {"type": "tied_attention", "values": "tied", "fusion": "add"},
        ),
        "reverse": laid(
            exchange(
                {"type": "self_attention", "head_dim": 8},
                {"type": "mlp", "mlp_ratio": 2},
                norm={"placement": "pre"},
            ),
            {
                "process": {"block": None},
                "memory": {"embed": {"type": "copy"}},
                "output": {"streams": ["process", "memory"], "combine": "concat"},
            },
        ),
        "crossvit": laid(
            exchange(
                crossing(),
                crossing(norms=["q", "k", "v"]),
                order=[["process", "memory"], ["read", "write"]],
                norm={"placement": "none"},
            ),
            {
                "process": {**CLS, "resize": 12, "blocks": 2},
                "memory": {
                    "embed": {"type": "conv_stem", "strides": [2, 1], "kernels": [3, 1]},
                    **CLS,
                    "dim": 8,
                    "block": {"type": "transformer", "num_heads": 2, "mlp_ratio": 1},
                },
                "output": {"pool": "cls", "predict": "mean"},
            },
        ),
        "distilled": laid(
            BASE,
            ALONE,
            {
                "process": {
                    "prefix_tokens": ["cls", "distillation"],
                    "block": {"layer_scale": 0.1},
                },
                "output": {"pool": "cls"},
            },
        ),
        "plain": laid(BASE, ALONE),
        "learned": laid(
            exchange(
                {"type": "linear_attention"},
                {"type": "cross_attention", "keys": "patches"},
                order=["write", "process", "read"],
            ),
            {
                "image": {"size": [8, 12], "channels": 3},
                "depth": 4,
                "process": {**CLS},
                "memory": {"embed": {"type": "learned", "num_tokens": 5}},
                "output": {"norm": {"process": "both", "memory": "tokens"}, "predict": "process"},
                "layers": [
                    {"at": {"every": 2}, "process": {"blocks": 2}},
                    {"at": {"first": 1}, "exchange": {"read": {"fusion": "erase"}}},
                    {"at": [1, -1], "process": {"block": {"mlp_ratio": 2}}},
                ],
            },
        ),
        "memory-blocks": laid(
            exchange(
                {"type": "linear_attention", "weights": "shared", "fusion": "add_erase"},
                None,
                order=["memory", "read", "process"],
            ),
            {
                "memory": {
                    "resize": [4, 8],
                    "block": {
                        "type": "transformer",
                        "num_heads": 4,
                        "mlp_ratio": 0.5,
                        "layer_scale": 1e-6,
                        "weights": "shared",
                    },
                    "blocks": 2,
                },
                "output": {"streams": ["process"]},
            },
        ),
    }
    return {name: {**document, "name": name} for name, document in made.items()}
