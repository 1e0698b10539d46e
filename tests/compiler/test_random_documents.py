"""Documents drawn at random: a valid one builds, learns and is counted; others are refused."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st
from torch import nn

from archdsl.compiler.build import build_plan
from archdsl.document.text import read_text
from archdsl.document.tree import tree_of
from archdsl.document.write import to_yaml
from archdsl.errors import DocumentError
from archdsl.measure.count import count
from archdsl.nn.network import Network
from archdsl.plan.plan import Plan
from archdsl.plan.read import Checked, check_model
from archdsl.spec.base import words as words_of
from archdsl.spec.heads import Head

Document = dict[str, Any]
Draw = st.DrawFn

UNIT = 24
"""Widths are multiples of it, so that a quarter of them is whole for each of 1, 2 or 3 heads."""
HEADS = [1, 2, 3]
# Without the phase that explains failures, which traces every line of torch.
RANDOM = settings(
    derandomize=True,
    deadline=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)


def maybe(draw: Draw, words: Document, **options: Any) -> Document:
    """The words, some of the optional ones added."""
    chosen = {key: draw(each) for key, each in options.items() if draw(st.booleans())}
    return {**words, **chosen}


def transformer(draw: Draw) -> Document:
    heads = draw(st.sampled_from([{"head_dim": 4}, {"head_dim": 12}, {"num_heads": 3}]))
    return maybe(
        draw, {"type": "transformer", **heads}, mlp_ratio=st.sampled_from([0.1, 0.5, 1, 4 / 3])
    )


def mlp(draw: Draw) -> Document:
    return {"type": "mlp", "mlp_ratio": draw(st.sampled_from([0.25, 1, 1.7]))}


FUSIONS = [
    "add",
    {"type": "add"},
    "erase",
    "add_erase",
    {"type": "add_erase", "gate": "shared"},
    {"type": "add_erase", "gate": "per_layer"},
]


def head(draw: Draw) -> Document:
    word = draw(st.sampled_from(sorted(words_of(Head))))
    head: Document = {"type": word}
    if word != "token_summary":
        head["num_heads"] = draw(st.sampled_from(HEADS))
    if word in ("linear_attention", "latent_attention"):
        head = maybe(draw, head, latent_ratio=st.sampled_from([0.25, 0.5, 2]))
    return maybe(draw, head, fusion=st.sampled_from(FUSIONS))


def stream(draw: Draw, name: str) -> Document:
    patch = st.sampled_from([2, 4, [4, 2], [1, 4]])
    words: Document = {"embed": {"type": "patch", "patch_size": draw(patch)}}
    if name == "process" or draw(st.booleans()):
        words["dim"] = UNIT * draw(st.integers(1, 2))
    if draw(st.booleans()):
        words["prefix_tokens"] = ["cls"]
    if draw(st.booleans() if name == "memory" else st.sampled_from([True, True, False])):
        words["block"] = transformer(draw) if draw(st.booleans()) else mlp(draw)
        words = maybe(draw, words, blocks=st.integers(1, 2))
    return words


def exchange(draw: Draw, document: Document) -> Document:
    dims = {document[name].get("dim", document["process"]["dim"]) for name in ("process", "memory")}
    shared = st.booleans() if len(dims) == 1 else st.just(False)
    placement = draw(st.sampled_from(["replace", "pre"]))
    order = draw(st.permutations(["read", "process", "write", "memory"]))
    words: Document = {"norm": {"placement": placement, "shared": draw(shared)}, "order": order}
    for word in draw(st.sampled_from([["read"], ["write"], ["read", "write"]])):
        words[word] = head(draw)
    return words


def layers(draw: Draw, document: Document) -> list[Document]:
    at = st.sampled_from([[0], [-1], {"first": 1}, {"last": 1}, {"every": 2}])
    found: list[Document] = []
    for _ in range(draw(st.integers(1, 2))):
        patch: Document = {"process": {"block": transformer(draw), "blocks": 2}}
        if "memory" in document and draw(st.booleans()):
            patch["memory"] = {"block": None, "blocks": 1}
            patch["exchange"] = {"write": head(draw), "read": head(draw)}
        for key in ("head_dim", "num_heads"):  # a patch is merged: it must remove the other word
            patch["process"]["block"].setdefault(key, None)
        found.append({"at": draw(at), **patch})
    return found


def output(draw: Draw, document: Document) -> Document:
    streams = [name for name in ("process", "memory") if name in document]
    chosen = draw(st.permutations(streams))[: draw(st.integers(1, len(streams)))]
    words: Document = {"num_classes": draw(st.integers(1, 5)), "streams": chosen}
    predictable = [*chosen, "mean"] if len(chosen) > 1 else chosen
    words = maybe(draw, words, predict=st.sampled_from(predictable))
    if all("prefix_tokens" in document[name] for name in chosen) and draw(st.booleans()):
        words["pool"] = "cls"
    if draw(st.booleans()):
        norm = st.sampled_from(["tokens", "pooled", "both"])
        words["norm"] = {name: draw(norm) for name in chosen}
    return words


@st.composite
def documents(draw: Draw) -> Document:
    """Valid documents with every kind of word."""
    size = draw(st.sampled_from([8, [8, 4], [4, 16]]))
    document: Document = {
        "archdsl": 1,
        "name": "random",
        "image": maybe(draw, {"size": size}, channels=st.integers(1, 3)),
        "depth": draw(st.integers(2, 3)),
        "process": stream(draw, "process"),
    }
    if draw(st.sampled_from([True, True, False])):
        document["memory"] = stream(draw, "memory")
        document["exchange"] = exchange(draw, document)
        if draw(st.booleans()):
            document["published_layout"] = True
    elif "block" not in document["process"]:
        document["process"]["block"] = transformer(draw)
    if draw(st.booleans()):
        document["layers"] = layers(draw, document)
    document["output"] = output(draw, document)
    return document


def checked(document: Document) -> Checked:
    return check_model(tree_of(document, source="random"))


def without_zeros(network: Network) -> Network:
    """Classifiers start at zero, which lets no gradient through."""
    for classifier in network.classifiers.values():
        for module in classifier.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight)
    return network


def learns(plan: Plan) -> None:
    """A forward and a backward pass, with shapes and gradients as they must be."""
    torch.manual_seed(0)
    network = without_zeros(build_plan(plan))
    images = torch.randn(2, *plan.image)
    features = network.forward_features(images)
    shapes = {name: (2, each.tokens, each.dim) for name, each in plan.streams.items()}
    assert {name: tuple(tokens.shape) for name, tokens in features.items()} == shapes
    logits = network.forward_heads(images)
    assert list(logits) == list(plan.output.classifiers)
    assert network(images).shape == (2, plan.output.num_classes)
    # Every stream's tokens count, so that words a classifier does not see get a gradient too.
    answers = [*logits.values(), *features.values()]
    torch.autograd.backward(torch.stack([each.square().sum() for each in answers]).sum())
    for name, parameter in network.named_parameters():
        if name.startswith("unused."):
            assert parameter.grad is None
        else:
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name


@settings(RANDOM, max_examples=120)
@given(documents())
def test_valid_documents(document: Document) -> None:
    model = checked(document)
    text = to_yaml(model.spec.document())
    again = check_model(read_text(text, source="again"))
    assert again.plan == model.plan
    assert again.plan.arch_id == model.plan.arch_id
    learns(model.plan)
    # Raises where the trace and the plan disagree.
    assert count(model.plan).macs > 0


MUTATIONS: list[tuple[tuple[str, ...], list[Any]]] = [
    (("image", "size"), [1, 6, 7, [8, 7], [16, 8], 0, "8"]),
    (("depth",), [1, 0, 65, -1, 2.0]),
    (("process", "dim"), [1, 5, 7, 12, 18, 36, 0]),
    (("memory", "dim"), [1, 5, 7, 12, 18, 36, None]),
    (("process", "embed", "patch_size"), [1, 3, 8, [8, 1], 16]),
    (("memory", "embed", "patch_size"), [1, 3, 8, [8, 1], 16]),
    (("process", "block"), [None, {"type": "mlp", "mlp_ratio": 0.01}, {"head_dim": 5}]),
    (("process", "block", "head_dim"), [1, 5, 6, None]),
    (("process", "block", "num_heads"), [1, 5, 6, None]),
    (("process", "block", "mlp_ratio"), [0.01, 0.09, 64, 65]),
    (("memory", "block"), [None, {"type": "mlp", "mlp_ratio": 0.01}, {"type": "mlp"}]),
    (("memory",), [None]),
    (("exchange",), [None, {}]),
    (("exchange", "order"), [["read"], ["process", "write"], ["read", "read"], []]),
    (("exchange", "norm", "shared"), [True, False]),
    (("exchange", "read"), [None, {"type": "linear_attention", "latent_ratio": 0.3}]),
    (("exchange", "read"), [{"type": "cross_attention"}, {"type": "token_summary"}]),
    (("exchange", "read", "type"), ["latent_attention", "token_summary", "tied_attention"]),
    (("exchange", "read", "fusion"), ["erase", "add_eras", {"type": "add", "gate": "shared"}]),
    (("exchange", "write", "fusion"), ["add_erase", {"type": "add_erase", "gate": "none"}, None]),
    (("exchange", "read", "latent_ratio"), [0.01, 1 / 3, 0.3, 7, 64]),
    (("exchange", "write", "num_heads"), [1, 4, 5, 7, 12]),
    (("output", "streams"), [["memory"], ["process"], ["memory", "memory"], []]),
    (("output", "predict"), ["memory", "process", "mean"]),
    (("output", "pool"), ["mean", "cls", "max"]),
    (("published_layout",), [True]),
]


@st.composite
def mutated(draw: Draw) -> Document:
    """Documents one or two words away from a valid one."""
    document = draw(documents())
    for path, values in draw(st.lists(st.sampled_from(MUTATIONS), min_size=1, max_size=2)):
        here: Any = document
        for step in path[:-1]:
            here = (here or {}).get(step)
        if here is not None:
            here[path[-1]] = draw(st.sampled_from(values))
    return document


@settings(RANDOM, max_examples=250)
@given(mutated())
def test_what_does_not_fit_is_refused_before_torch(document: Document) -> None:
    try:
        model = checked(document)
    except DocumentError as error:
        event("refused")
        assert all(problem.path for problem in error.problems)
        return
    event("valid")
    learns(model.plan)
