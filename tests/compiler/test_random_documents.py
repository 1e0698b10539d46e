"""Documents drawn at random: a valid one builds, learns and is counted; others are refused."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st
from torch import nn

from archdsl.compiler.build import build_plan
from archdsl.compiler.export.source import source_of
from archdsl.document.text import read_text
from archdsl.document.tree import tree_of
from archdsl.document.write import to_yaml
from archdsl.errors import DocumentError
from archdsl.measuring.count import count
from archdsl.nn.layer import Borrowed
from archdsl.nn.network import Network
from archdsl.plan.cost import cost
from archdsl.plan.influence import influence
from archdsl.plan.plan import ExchangeStep, Plan, word_steps
from archdsl.plan.read import Checked, check_model
from archdsl.spec.base import words as words_of
from archdsl.spec.heads import Head


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Two threads on networks this small wait for each other more than they work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


Document = dict[str, Any]
Draw = st.DrawFn

UNIT = 24
"""Widths are multiples of it, so that a quarter of them is whole for each of 1, 2 or 3 heads."""
HEADS = [1, 2, 3]
# Without the phase that explains failures, which traces every line of torch.
RANDOM = settings(
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)


def maybe(draw: Draw, words: Document, **options: Any) -> Document:
    """The words, some of the optional ones added."""
    chosen = {key: draw(each) for key, each in options.items() if draw(st.booleans())}
    return {**words, **chosen}


WEIGHTS = st.sampled_from(["per_layer", "shared"])


def transformer(draw: Draw) -> Document:
    heads = draw(st.sampled_from([{"head_dim": 4}, {"head_dim": 12}, {"num_heads": 3}]))
    return maybe(
        draw,
        {"type": "transformer", **heads},
        mlp_ratio=st.sampled_from([0.1, 0.5, 1, 4 / 3]),
        layer_scale=st.sampled_from([1e-6, 0.1]),
        weights=WEIGHTS,
    )


def mlp(draw: Draw) -> Document:
    words = {"type": "mlp", "mlp_ratio": draw(st.sampled_from([0.25, 1, 1.7]))}
    return maybe(draw, words, norm=st.booleans(), weights=WEIGHTS)


FUSIONS = [
    "add",
    {"type": "add"},
    "erase",
    "add_erase",
    {"type": "add_erase", "gate": "shared"},
    {"type": "add_erase", "gate": "per_layer"},
]


@dataclass(frozen=True)
class Side:
    """What a head must know of a stream."""

    dim: int
    tokens: int
    prefix: int


def sides(document: Document, word: str) -> tuple[Side, Side]:
    """Target and source of a word."""
    process, memory = (side(document, name) for name in ("process", "memory"))
    return (process, memory) if word == "read" else (memory, process)


def side(document: Document, name: str) -> Side:
    words = document[name]
    embed = words["embed"]
    dim = words.get("dim", document["process"]["dim"])
    prefix = len(words.get("prefix_tokens", ()))
    if embed["type"] == "copy":
        other = side(document, "memory" if name == "process" else "process")
        return Side(dim, other.tokens, other.prefix)
    if embed["type"] == "learned":
        return Side(dim, embed["num_tokens"] + prefix, prefix)
    if embed["type"] == "downsample":
        return Side(dim, embed["grid"] ** 2 + prefix, prefix)
    sides_ = pair(words.get("resize", document["image"]["size"]))
    patch = pair(embed.get("patch_size") or math.prod(embed["strides"]))
    return Side(dim, sides_[0] // patch[0] * (sides_[1] // patch[1]) + prefix, prefix)


def pair(value: Any) -> list[int]:
    return value if isinstance(value, list) else [value, value]


def head(draw: Draw, document: Document, word: str) -> Document:
    """A head that fits between the streams; never a tied one, which needs a certain read."""
    target, source = sides(document, word)
    known = sorted(words_of(Head).keys() - {"tied_attention"})
    if target.tokens != source.tokens:
        known = [each for each in known if each not in ("self_attention", "mlp")]
    type_ = draw(st.sampled_from(known))
    head: Document = {"type": type_}
    if type_ == "mlp":
        head["mlp_ratio"] = draw(st.sampled_from([0.5, 1]))
    elif type_ == "cross_attention":
        head = cross_attention(draw, target, source)
    elif type_ != "token_summary":
        head = maybe(draw, head, head_dim=st.just(12))
    if (
        type_ in ("linear_attention", "latent_attention", "self_attention")
        and "head_dim" not in head
    ):
        head["num_heads"] = draw(st.sampled_from(HEADS))
    if type_ in ("linear_attention", "latent_attention"):
        head = maybe(draw, head, latent_ratio=st.sampled_from([0.5, 2]))
    if type_ == "linear_attention":
        projections = st.sampled_from(["none", "allocated", "used"])
        head = maybe(draw, head, normalise=st.booleans(), out_proj=projections)
    return maybe(draw, head, fusion=st.sampled_from(FUSIONS), weights=WEIGHTS)


NORMS = st.lists(st.sampled_from(["q", "k", "v"]), unique=True)


def cross_attention(draw: Draw, target: Side, source: Side) -> Document:
    head: Document = {"type": "cross_attention", "num_heads": draw(st.sampled_from(HEADS))}
    head = maybe(
        draw,
        head,
        norms=NORMS,
        out_proj=st.booleans(),
        width=st.sampled_from(["target", "source"]),
    )
    if target.prefix:
        head = maybe(draw, head, queries=st.sampled_from(["all", "cls"]))
    if source.prefix:
        head = maybe(draw, head, keys=st.sampled_from(["all", "patches"]))
    if target.dim == source.dim or head.get("width") == "source":
        head = maybe(draw, head, with_query=st.booleans())
    return head


def tied_pair(draw: Draw, document: Document) -> Document:
    """A cross-attention read, and a write that goes back along its map."""
    memory, process = sides(document, "write")
    read: Document = {"type": "cross_attention", "num_heads": draw(st.sampled_from(HEADS))}
    read = maybe(draw, read, norms=NORMS, out_proj=st.booleans(), weights=WEIGHTS)
    write: Document = maybe(
        draw,
        {"type": "tied_attention"},
        renormalise=st.booleans(),
        norm=st.booleans(),
        out_proj=st.booleans(),
        fusion=st.sampled_from(FUSIONS),
    )
    if memory.dim == process.dim:
        write = maybe(draw, write, values=st.sampled_from(["own", "tied"]))
    if write.get("values") != "tied" or read.get("weights") == "shared":
        write = maybe(draw, write, weights=WEIGHTS)
    return {"read": read, "write": write}


def embed(draw: Draw, *, image: bool) -> Document:
    """An embedding that starts by itself; sides of images are multiples of four."""
    patch = {"type": "patch", "patch_size": draw(st.sampled_from([2, 4, [4, 2], [1, 4]]))}
    stems = [
        {"type": "conv_stem", "strides": [2, 1, 1]},
        {"type": "conv_stem", "strides": [2, 2], "kernels": [3, 2]},
        {"type": "conv_stem", "strides": [4], "kernels": [4]},
    ]
    learned = {"type": "learned", "num_tokens": draw(st.integers(1, 5))}
    others = [] if image else [learned]
    return draw(st.sampled_from([patch, patch, patch, *stems, *others]))


def stream(draw: Draw, name: str, *, image: bool = False) -> Document:
    words: Document = {"embed": embed(draw, image=image)}
    if words["embed"]["type"] != "learned":
        words = maybe(draw, words, resize=st.sampled_from([4, [8, 4]]))
    if name == "process" or draw(st.booleans()):
        words["dim"] = UNIT * draw(st.integers(1, 2))
    if draw(st.booleans()):
        words["prefix_tokens"] = ["cls"]
    if draw(st.booleans() if name == "memory" else st.sampled_from([True, True, False])):
        words["block"] = transformer(draw) if draw(st.booleans()) else mlp(draw)
        words = maybe(draw, words, blocks=st.integers(1, 2))
    return words


def dependent(draw: Draw, document: Document) -> None:
    """Sometimes one stream is made from the other."""
    name, other = draw(st.permutations(["process", "memory"]))
    if document[other]["embed"]["type"] == "learned" or draw(st.booleans()):
        return
    words = document[name]
    words.pop("resize", None)
    dims = {document[each].get("dim", document["process"]["dim"]) for each in ("process", "memory")}
    if draw(st.booleans()) and len(dims) == 1:
        words["embed"] = {"type": "copy"}
        words.pop("prefix_tokens", None)
    else:
        method = draw(st.sampled_from(["average", "bilinear"]))
        words["embed"] = {"type": "downsample", "grid": 1, "method": method}


ORDERS = [
    ["read", ["process", "memory"], "write"],
    [["process", "memory"], ["read", "write"]],
    [["read", "memory"], ["process", "write"]],
]


def exchange(draw: Draw, document: Document) -> Document:
    dims = {document[name].get("dim", document["process"]["dim"]) for name in ("process", "memory")}
    shared = st.booleans() if len(dims) == 1 else st.just(False)
    placement = draw(st.sampled_from(["replace", "pre", "none"]))
    order: Any = draw(st.permutations(["read", "process", "write", "memory"]))
    if placement != "replace" and draw(st.booleans()):
        order = draw(st.sampled_from(ORDERS))
    norm: Document = {"placement": placement}
    if placement != "none":
        norm = maybe(draw, {**norm, "shared": draw(shared)}, weights=WEIGHTS)
    words: Document = {"norm": norm, "order": order}
    flat = [word for place in order for word in pair_of(place)]
    together = any({"read", "write"} <= set(pair_of(place)) for place in order)
    if not together and flat.index("read") < flat.index("write") and draw(st.booleans()):
        return {**words, **tied_pair(draw, document)}
    for word in draw(st.sampled_from([["read"], ["write"], ["read", "write"]])):
        words[word] = head(draw, document, word)
    return words


def pair_of(place: Any) -> list[str]:
    return place if isinstance(place, list) else [place]


def layers(draw: Draw, document: Document) -> list[Document]:
    at = st.sampled_from([[0], [-1], {"first": 1}, {"last": 1}, {"every": 2}])
    found: list[Document] = []
    for _ in range(draw(st.integers(1, 2))):
        patch: Document = {"process": {"block": transformer(draw), "blocks": 2}}
        for key in ("weights", "layer_scale"):
            patch["process"]["block"].setdefault(key, None)
        if "memory" in document and draw(st.booleans()):
            patch["memory"] = {"block": None, "blocks": 1}
            patch["exchange"] = {"write": None, "read": whole(head(draw, document, "read"))}
        for key in ("head_dim", "num_heads"):  # a patch is merged: it must remove the other word
            patch["process"]["block"].setdefault(key, None)
        found.append({"at": draw(at), **patch})
    return found


def whole(head: Document) -> Document:
    """A head that replaces another of its type: words it does not have are removed."""
    known = words_of(Head)[head["type"]].model_fields
    return dict.fromkeys(known) | head


def output(draw: Draw, document: Document) -> Document:
    streams = [name for name in ("process", "memory") if name in document]
    chosen = draw(st.permutations(streams))[: draw(st.integers(1, len(streams)))]
    words: Document = {"num_classes": draw(st.integers(1, 5)), "streams": chosen}
    with_cls = [name for name in streams if side(document, name).prefix]
    if len(chosen) > 1 and draw(st.booleans()):
        words["combine"] = "concat"
        if set(chosen) <= set(with_cls) and draw(st.booleans()):
            words["pool"] = "cls"
        return words
    predictable = [*chosen, "mean"] if len(chosen) > 1 else chosen
    words = maybe(draw, words, predict=st.sampled_from(predictable))
    if draw(st.booleans()):
        norm = st.sampled_from(["tokens", "pooled", "both"])
        words["norm"] = {name: draw(norm) for name in chosen}
    pools = {name: draw(st.sampled_from(["mean", "cls"])) for name in chosen if name in with_cls}
    if set(pools.values()) == {"cls"} and len(pools) == len(chosen):
        words["pool"] = "cls"
        if draw(st.booleans()) and "predict" not in words:
            own = next((n for n in chosen if "prefix_tokens" in document[n]), None)
            copied = any(document[n]["embed"]["type"] == "copy" for n in streams)
            if own and not copied:
                document[own]["prefix_tokens"] = ["cls", "distillation"]
    elif pools:
        words["pool"] = pools
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
    }
    two = draw(st.sampled_from([True, True, False]))
    document["process"] = stream(draw, "process", image=not two)
    if two:
        learned = document["process"]["embed"]["type"] == "learned"
        document["memory"] = stream(draw, "memory", image=learned)
        dependent(draw, document)
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
        elif parameter.grad is not None:
            assert torch.isfinite(parameter.grad).all(), name
        else:
            assert erases(plan), name


def erases(plan: Plan) -> bool:
    """Whether some read replaces a stream without looking at it: what made the stream is lost."""
    return any(
        step.fusion.type == "erase" and not words_of(Head)[step.head.type].reads_target
        for layer in plan.layers
        for step in word_steps(layer)
        if isinstance(step, ExchangeStep)
    )


@pytest.mark.slow
@settings(RANDOM, max_examples=100)
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


@pytest.mark.slow
@settings(RANDOM, max_examples=100)
@given(documents())
@torch.no_grad()
def test_exported_source_computes_the_same(document: Document) -> None:
    plan = checked(document).plan
    torch.manual_seed(0)
    network = without_zeros(build_plan(plan)).eval()
    images = torch.randn(2, *plan.image)
    module: dict[str, Any] = {"__file__": "model.py"}
    exec(source_of(network), module)
    made = module["Network"]().eval()
    state = network.state_dict()
    made.load_state_dict({name: state[name] for name in state if not name.startswith("unused.")})
    assert torch.equal(made(images), network(images))


@pytest.mark.slow
@settings(RANDOM, max_examples=100)
@given(documents())
def test_influence_is_where_gradients_of_the_prediction_go(document: Document) -> None:
    plan = checked(document).plan
    torch.manual_seed(0)
    network = without_zeros(build_plan(plan))
    torch.autograd.backward(network(torch.randn(2, *plan.image)).square().sum())
    found = influence(plan)
    for path in (*found.reaching, *found.only_norm, *found.idle):
        module = network.get_submodule(path)
        learn = {name for name, each in module.named_parameters() if each.grad is not None}
        if path in found.reaching:
            borrows = any(isinstance(each, Borrowed) for each in module.modules())
            assert learn or borrows or not list(module.parameters()), path
        else:
            assert not {name for name in learn if not name.startswith("norms.")}, path
            assert path in found.only_norm or not learn, path
    unused = sum(
        each.numel()
        for name, each in network.named_parameters()
        if each.grad is None and not name.startswith(("classifiers.", "unused."))
    )
    assert 0 <= round(found.unused_share * cost(plan).params) <= unused


MUTATIONS: list[tuple[tuple[str, ...], list[Any]]] = [
    (("image", "size"), [1, 6, 7, [8, 7], [16, 8], 0, "8"]),
    (("depth",), [1, 0, 65, -1, 2.0]),
    (("process", "dim"), [1, 5, 7, 12, 18, 36, 0]),
    (("memory", "dim"), [1, 5, 7, 12, 18, 36, None]),
    (("process", "embed", "patch_size"), [1, 3, 8, [8, 1], 16]),
    (("memory", "embed", "patch_size"), [1, 3, 8, [8, 1], 16]),
    (("process", "embed"), [{"type": "copy"}, {"type": "downsample", "grid": 2}, {"type": "conv"}]),
    (("memory", "embed"), [{"type": "copy"}, {"type": "learned", "num_tokens": 3}]),
    (("memory", "embed"), [{"type": "conv_stem", "strides": [2, 2], "kernels": [2, 4]}]),
    (("process", "embed", "grid"), [1, 2, [1, 3], 9]),
    (("memory", "embed", "strides"), [[2, 2, 3], [1], [2, 1, 1]]),
    (("process", "resize"), [3, 4, [8, 16], None]),
    (("memory", "resize"), [3, 4, [8, 16], None]),
    (("process", "prefix_tokens"), [["cls"], ["distillation"], ["cls", "distillation"], []]),
    (("memory", "prefix_tokens"), [["cls"], ["cls", "cls"], ["cls", "distillation"], []]),
    (("process", "block"), [None, {"type": "mlp", "mlp_ratio": 0.01}, {"head_dim": 5}]),
    (("process", "block", "head_dim"), [1, 5, 6, None]),
    (("process", "block", "num_heads"), [1, 5, 6, None]),
    (("process", "block", "mlp_ratio"), [0.01, 0.09, 64, 65]),
    (("process", "block", "layer_scale"), [0, 1, 2, None]),
    (("memory", "block"), [None, {"type": "mlp", "mlp_ratio": 0.01}, {"type": "mlp"}]),
    (("memory",), [None]),
    (("exchange",), [None, {}]),
    (("exchange", "order"), [["read"], ["process", "write"], ["read", "read"], []]),
    (("exchange", "order"), [[["read", "process"]], [["read", "write"]], [["read"]], [[]]]),
    (("exchange", "order"), [["write", "read"], [["process", "memory"], ["read", "write"]]]),
    (("exchange", "norm", "placement"), ["replace", "pre", "none", "post"]),
    (("exchange", "norm", "shared"), [True, False]),
    (("exchange", "norm", "weights"), ["shared", "per_layer", "own"]),
    (("exchange", "read"), [None, {"type": "linear_attention", "latent_ratio": 0.3}]),
    (("exchange", "read"), [{"type": "cross_attention"}, {"type": "token_summary"}]),
    (("exchange", "read"), [{"type": "self_attention"}, {"type": "mlp", "mlp_ratio": 1}]),
    (("exchange", "read"), [{"type": "tied_attention"}]),
    (("exchange", "write"), [{"type": "tied_attention"}, {"type": "mlp", "mlp_ratio": 1}]),
    (("exchange", "write"), [{"type": "tied_attention", "values": "tied", "weights": "shared"}]),
    (("exchange", "read", "type"), ["latent_attention", "token_summary", "tied_attention"]),
    (("exchange", "read", "fusion"), ["erase", "add_eras", {"type": "add", "gate": "shared"}]),
    (("exchange", "write", "fusion"), ["add_erase", {"type": "add_erase", "gate": "none"}, None]),
    (("exchange", "read", "latent_ratio"), [0.01, 1 / 3, 0.3, 7, 64]),
    (("exchange", "read", "queries"), ["cls", "all"]),
    (("exchange", "read", "keys"), ["patches"]),
    (("exchange", "read", "with_query"), [True, 1]),
    (("exchange", "read", "width"), ["source", "both"]),
    (("exchange", "read", "norms"), [["q", "q"], ["x"], []]),
    (("exchange", "write", "num_heads"), [1, 4, 5, 7, 12]),
    (("exchange", "write", "head_dim"), [1, 5, 12]),
    (("output", "streams"), [["memory"], ["process"], ["memory", "memory"], []]),
    (("output", "predict"), ["memory", "process", "mean", "concat", "distillation"]),
    (("output", "pool"), ["mean", "cls", "max", {"memory": "cls"}, {"process": "max"}]),
    (("output", "combine"), ["concat", "sum", None]),
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


@pytest.mark.slow
@settings(RANDOM, max_examples=150)
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
