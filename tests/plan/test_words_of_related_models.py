"""Words of the comparison models: what is refused, where and why, and what is one architecture."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from archdsl.document.merge import merge
from archdsl.document.tree import tree_of
from archdsl.errors import DocumentError
from archdsl.plan.cost import params_allocated
from archdsl.plan.plan import Plan
from archdsl.plan.read import check_model, read_model

Document = dict[str, Any]

BASE: Document = {
    "archdsl": 1,
    "name": "x",
    "image": {"size": 32},
    "depth": 2,
    "process": {
        "embed": {"type": "patch", "patch_size": 8},
        "dim": 48,
        "block": {"type": "transformer", "head_dim": 16},
    },
    "memory": {"embed": {"type": "patch", "patch_size": 4}},
    "exchange": {
        "norm": {"placement": "pre"},
        "read": {"type": "cross_attention"},
        "write": {"type": "cross_attention"},
    },
    "output": {"num_classes": 10},
}


def changed(*patches: Document) -> Document:
    document = BASE
    for patch in patches:
        document = merge(document, patch)
    return document


def plan(*patches: Document) -> Plan:
    return check_model(tree_of(changed(*patches), source="x")).plan


def problems_of(document: Document) -> list[tuple[str, str]]:
    with pytest.raises(DocumentError) as caught:
        check_model(tree_of(document, source="x"))
    return [(each.path, each.message) for each in caught.value.problems]


# Patches, as short as they can be written


def read(**words: Any) -> Document:
    return {"exchange": {"read": words}}


def write(**words: Any) -> Document:
    return {"exchange": {"write": words}}


def tied(**words: Any) -> Document:
    return write(type="tied_attention", **words)


def order(*places: Any) -> Document:
    return {"exchange": {"order": list(places)}}


def norm(**words: Any) -> Document:
    return {"exchange": {"norm": words}}


def process(**words: Any) -> Document:
    return {"process": words}


def memory(**words: Any) -> Document:
    return {"memory": words}


def output(**words: Any) -> Document:
    return {"output": words}


def layer(**exchange: Any) -> Document:
    return {"layers": [{"at": [0], "exchange": exchange}]}


LEARNED: Document = {"type": "learned", "num_tokens": 4}
POOLED: Document = {"type": "downsample", "grid": 2}
COPY: Document = {"type": "copy"}
CLS: Document = {"prefix_tokens": ["cls"]}
BOTH_TOKENS: Document = {"prefix_tokens": ["cls", "distillation"]}
WIDE: Document = {"memory": {"dim": 96}, "exchange": {"norm": {"shared": False}}}
SAME_GRID: Document = {"memory": {"embed": {"patch_size": 8}}}
ALONE: Document = {"memory": None, "exchange": None}
MLP_BLOCK: Document = {"block": {"type": "mlp", "mlp_ratio": 1}}


def stem(**words: Any) -> Document:
    return {"embed": {"type": "conv_stem", **words}}


NO_READ = "takes the map of a cross_attention read; the layer"
BEFORE = "the read must come before it in exchange.order"
WHOLE = "a tied_attention write takes the map of all tokens of both streams: leave {} out"
MADE_FROM = "the {} stream is made from this one ({}); one of the two must start by itself"
NO_IMAGE = "no stream sees the image; start one with patch or conv_stem"
NO_EFFECT = "has no effect: "
UNSEEN = f"{NO_EFFECT}this stream does not see the image"
NO_CLASSIFIER = f"{NO_EFFECT}this stream has no classifier"
NO_CLS = "the {0} stream has no class token; write {0}.prefix_tokens: [cls]"
BOTH_GIVEN = "both are given: give head_dim or num_heads (null removes one)"
DISTILLATION = (
    "the process stream's distillation token needs a classifier of its own beside the class "
    "token's; write cls"
)
TOGETHER = "{} both change the {} stream; they cannot run together"
KERNEL = (
    "{0} at a stride of {1}; give {1} (patches side by side) or a larger odd number "
    "(overlapping, padded by half)"
)

CASES: list[tuple[list[Document], dict[str, str]]] = [
    # Tied attention
    ([tied(), {"exchange": {"read": None}}],
     {"exchange.write.type": f"{NO_READ} has no read"}),
    ([tied(), read(type="linear_attention")],
     {"exchange.write.type": f"{NO_READ}'s read is linear_attention"}),
    ([tied(), layer(read=None)],
     {"layers[0].exchange.write.type": f"{NO_READ} has no read"}),
    ([tied(), layer(read={"type": "mlp", "mlp_ratio": 1}), SAME_GRID],
     {"layers[0].exchange.write.type":
      f"{NO_READ}'s read is mlp"}),
    ([read(type="tied_attention")],
     {"exchange.read.type": "a write goes back along the read's map; a read has none to take"}),
    ([tied(), order("write", "process", "read")], {"exchange.write.type": BEFORE}),
    ([tied(), order("process", ["read", "write"])], {"exchange.write.type": BEFORE}),
    ([tied(), order("process", ["write", "read"])], {"exchange.write.type": BEFORE}),
    ([tied(), order(["process", "write"], "read")], {"exchange.write.type": BEFORE}),
    ([tied(), layer(order=["write", "read", "process"])],
     {"layers[0].exchange.write.type": BEFORE}),
    ([tied(), read(queries="cls"), process(**CLS)],
     {"exchange.read.queries": WHOLE.format("queries")}),
    ([tied(), read(keys="patches"), memory(**CLS)], {"exchange.read.keys": WHOLE.format("keys")}),
    ([tied(), read(with_query=True, width="source")],
     {"exchange.read.with_query": WHOLE.format("with_query"),
      "exchange.read.width": WHOLE.format("width")}),
    ([tied(values="tied"), WIDE],
     {"exchange.write.values":
      "the read's values have the width 48, the memory stream 96; write values: own"}),
    ([tied(), WIDE, memory(dim=40)],
     {"exchange.write.type": "the read's 3 heads do not divide the memory stream's width 40"}),
    ([tied(values="tied", weights="shared")],
     {"exchange.write.weights":
      "shared weights with tied values need a shared read: exchange.read.weights: shared"}),
    ([tied(value="tied")], {"exchange.write.value": "unknown key; did you mean 'values'?"}),
    ([tied(), read(head_dim=14)],
     {"exchange.read.head_dim": "14 does not divide the process stream's width 48"}),
    # Heads that join token by token
    ([read(type="self_attention")],
     {"exchange.read.type":
      "self_attention joins the streams token by token: process has 16 tokens, memory 64"}),
    ([write(type="mlp", mlp_ratio=2), SAME_GRID, memory(**CLS)],
     {"exchange.write.type":
      "mlp joins the streams token by token: memory has 17 tokens, process 16"}),
    ([write(type="mlp"), SAME_GRID], {"exchange.write.mlp_ratio": "missing"}),
    ([write(type="mlp", mlp_ratio=0.001), SAME_GRID],
     {"exchange.write.mlp_ratio": "0.001 of the width 48 leaves no hidden channel"}),
    ([read(type="self_attention", head_dim=20), SAME_GRID, WIDE],
     {"exchange.read.head_dim": "20 does not divide the memory stream's width 96"}),
    # Streams made from each other
    ([process(embed=COPY), memory(embed=COPY)],
     {"process.embed.type": MADE_FROM.format("memory", "copy"),
      "memory.embed.type": MADE_FROM.format("process", "copy")}),
    ([process(embed=COPY), memory(embed=POOLED)],
     {"process.embed.type": MADE_FROM.format("memory", "downsample"),
      "memory.embed.type": MADE_FROM.format("process", "copy")}),
    ([process(embed=POOLED), memory(embed=LEARNED)],
     {"process.embed.type": "the memory stream's tokens are learned and have no grid"}),
    ([process(embed=LEARNED), memory(embed=LEARNED)], {"process.embed.type": NO_IMAGE}),
    ([process(embed=COPY), memory(embed=LEARNED)], {"process.embed.type": NO_IMAGE}),
    ([process(embed=LEARNED), ALONE], {"process.embed.type": NO_IMAGE}),
    ([memory(embed=COPY), WIDE],
     {"memory.embed.type":
      "the process stream has the width 48, this one 96; a copy has the same"}),
    ([memory(embed=COPY, **CLS)],
     {"memory.prefix_tokens": f"{NO_EFFECT}the process stream's prefix tokens are copied"}),
    *(([process(embed=embed), ALONE],
       {"process.embed.type": "there is no other stream to make it from"})
      for embed in (COPY, POOLED)),
    ([process(embed={**POOLED, "grid": 9})],
     {"process.embed.grid": "9 rows from the other stream's 8: give fewer"}),
    ([process(embed={**POOLED, "grid": [2, 9]})],
     {"process.embed.grid": "9 columns from the other stream's 8: give fewer"}),
    ([process(embed={"type": "downsample"})], {"process.embed.grid": "missing"}),
    ([process(embed={**POOLED, "method": "max"})],
     {"process.embed.method": "'max' is not one of: average, bilinear"}),
    # The image at another size
    *(([memory(embed=embed, resize=16)], {"memory.resize": UNSEEN})
      for embed in (COPY, POOLED, LEARNED)),
    ([memory(resize=30)],
     {"memory.embed.patch_size":
      "4 does not divide the image's height 30; for example 2, 3, 5, 6 do"}),
    ([memory(resise=16)], {"memory.resise": "unknown key; did you mean 'resize'?"}),
    # Stems
    ([memory(**stem(strides=[2, 2], kernels=[3, 4]))],
     {"memory.embed.kernels[1]": KERNEL.format(4, 2)}),
    ([memory(**stem(strides=[4, 2], kernels=[3, 3]))],
     {"memory.embed.kernels[0]": KERNEL.format(3, 4)}),
    ([memory(**stem(strides=[2, 2]))],
     {"memory.embed.kernels": "3 for 2 strides (7, 3, 3 unless given); give one for each"}),
    ([memory(**stem(strides=[3, 2], kernels=[3, 3]))],
     {"memory.embed.strides": "their product 6 does not divide the image's height 32"}),
    ([memory(**stem(strides=4))], {"memory.embed.strides": "4 is not a list"}),
    ([memory(**stem(stride=[4, 2, 1]))],
     {"memory.embed.stride": "unknown key; did you mean 'strides'?"}),
    # Prefix tokens and their classifiers
    ([process(prefix_tokens=["distillation", "cls"]), output(pool={"process": "cls"})],
     {"process.prefix_tokens": "the class token comes first; write [cls, distillation]"}),
    ([process(prefix_tokens=["cls", "cls"])], {"process.prefix_tokens": "names a token twice"}),
    ([process(prefix_tokens=["cls", "distillation", "cls"])],
     {"process.prefix_tokens": "3 values; at most 2"}),
    ([process(prefix_tokens=["cls", "distilation"])],
     {"process.prefix_tokens[1]":
      "'distilation' is not one of: cls, distillation; did you mean 'distillation'?"}),
    ([process(**BOTH_TOKENS)], {"output.pool": DISTILLATION}),
    ([process(**BOTH_TOKENS), memory(**CLS), output(pool={"memory": "cls"})],
     {"output.pool": DISTILLATION}),
    ([output(pool={"memory": "mean"}, streams=["process"])],
     {"output.pool.memory": NO_CLASSIFIER}),
    ([output(pool={"process": "max"})],
     {"output.pool.process": "'max' is not one of: mean, cls"}),
    ([output(predict="distillation")],
     {"output.predict": "'distillation' has no classifier; streams are memory, process"}),
    ([process(**BOTH_TOKENS), output(pool="cls", streams=["process"], predict="memory")],
     {"output.predict": "'memory' has no classifier; classifiers are process, distillation"}),
    # Cross-attention
    ([read(queries="cls")], {"exchange.read.queries": NO_CLS.format("process")}),
    ([write(queries="cls")], {"exchange.write.queries": NO_CLS.format("memory")}),
    ([read(keys="patches")],
     {"exchange.read.keys": "the memory stream has no prefix tokens to leave out"}),
    ([read(with_query=True), WIDE],
     {"exchange.read.with_query": "keys of the widths 48 and 96 need width: source"}),
    ([read(norms=["q", "q"])], {"exchange.read.norms": "names a projection twice"}),
    ([read(norms=["q", "x"])], {"exchange.read.norms[1]": "'x' is not one of: q, k, v"}),
    ([read(out_proj="used")], {"exchange.read.out_proj": "'used' is not true or false"}),
    ([read(type="linear_attention", out_proj=True)],
     {"exchange.read.out_proj": "true is not one of: none, allocated, used"}),
    *(([read(type=word, head_dim=16, num_heads=3), SAME_GRID], {"exchange.read": BOTH_GIVEN})
      for word in ("cross_attention", "self_attention", "linear_attention", "latent_attention")),
    ([read(head_dim=14)],
     {"exchange.read.head_dim": "14 does not divide the process stream's width 48"}),
    ([read(width="source", head_dim=20), WIDE],
     {"exchange.read.head_dim": "20 does not divide the memory stream's width 96"}),
    # Words that run together
    ([order(["read", "process"], "write")],
     {"exchange.order[0]": TOGETHER.format("read and process", "process")}),
    ([order("read", "process", ["memory", "write"]), memory(**MLP_BLOCK)],
     {"exchange.order[2]": TOGETHER.format("memory and write", "memory")}),
    ([order(["read", "write"], "read", "process")],
     {"exchange.order": "each word runs at most once in a layer"}),
    ([order("process", ["read", "memory"], "write"), norm(placement="replace"),
      memory(**MLP_BLOCK)],
     {"exchange.norm.placement":
      "replace changes both streams, so read cannot run together with another word; "
      "write pre or none"}),
    ([order("read", "writ", "process")],
     {"exchange.order[1]":
      "'writ' is not one of: read, process, write, memory; did you mean 'write'?"}),
    ([{"exchange": {"order": "read"}}], {"exchange.order": "'read' is not a list"}),
    # Norms
    ([norm(placement="none", shared=False)],
     {"exchange.norm.shared": f"{NO_EFFECT}there is no norm"}),
    ([norm(placement="none", weights="shared")],
     {"exchange.norm.weights": f"{NO_EFFECT}there is no norm"}),
    ([norm(weight="shared")], {"exchange.norm.weight": "unknown key; did you mean 'weights'?"}),
    ([memory(dim=96)],
     {"exchange.norm.shared": "one norm cannot serve the widths 48 and 96; write shared: false"}),
    # One classifier on both streams
    ([output(combine="concat", streams=["process"])],
     {"output.combine": "there is only one stream to classify"}),
    ([output(combine="concat", norm={"process": "both"})],
     {"output.norm.process":
      f"{NO_EFFECT}concat has one norm, over the pooled tokens side by side"}),
    ([output(combine="concat", pool={"process": "cls"}), process(**CLS)],
     {"output.pool": "concat pools all streams alike; write mean or cls"}),
    ([output(combine="concat", predict="process")],
     {"output.predict": "'process' has no classifier; classifiers are concat"}),
    ([output(combine="concat", predict="mean")],
     {"output.predict": "there is only one classifier to average"}),
    ([output(combine="concats")],
     {"output.combine": "'concats' is not one of: concat; did you mean 'concat'?"}),
    # Blocks and weights
    ([process(block={"layer_scale": 0})], {"process.block.layer_scale": "0 is not above 0"}),
    ([process(block={"layer_scale": 2})], {"process.block.layer_scale": "2 is above 1"}),
    ([process(block={"weights": "share"})],
     {"process.block.weights":
      "'share' is not one of: per_layer, shared; did you mean 'shared'?"}),
    ([memory(block={**MLP_BLOCK["block"], "norms": False})],
     {"memory.block.norms": "unknown key; did you mean 'norm'?"}),
]  # fmt: skip


@pytest.mark.parametrize(("patches", "problems"), CASES)
def test_each_mistake_has_its_place_and_its_reason(
    patches: list[Document], problems: dict[str, str]
) -> None:
    assert problems_of(changed(*patches)) == list(problems.items())


# Of these only the place is asserted.
PLACES: list[tuple[list[Document], list[str]]] = [
    ([tied(), order("write", "process")], ["exchange.read", "exchange.write.type"]),
    ([order(["read"], "process", "write")], ["exchange.order[0]"]),
    ([memory(**stem(strides=[], kernels=[]))], ["memory.embed.strides", "memory.embed.kernels"]),
]


@pytest.mark.parametrize(("patches", "paths"), PLACES)
def test_each_mistake_has_its_place(patches: list[Document], paths: list[str]) -> None:
    assert [path for path, _ in problems_of(changed(*patches))] == paths


MISSPELT = {
    "tide_attention": "tied_attention",
    "self_atention": "self_attention",
    "cross_atention": "cross_attention",
    "downsampled": "downsample",
    "convstem": "conv_stem",
    "learnt": "learned",
    "copied": "copy",
}


@pytest.mark.parametrize(("wrong", "right"), MISSPELT.items())
def test_a_misspelt_word_is_told_the_nearest(wrong: str, right: str) -> None:
    head = right.endswith("attention")
    [(path, message)] = problems_of(
        changed(read(type=wrong) if head else memory(embed={"type": wrong}))
    )
    assert path == ("exchange.read.type" if head else "memory.embed.type")
    assert message.startswith(f"'{wrong}' is not one of: ")
    assert message.endswith(f"; did you mean '{right}'?")


def test_problems_of_inner_lists_have_their_line_and_column(valid: str, refused: Any) -> None:
    text = valid.replace("placement: replace", "placement: pre")
    text = text.replace("exchange:\n", "exchange:\n  order: [[read, write], [process, process]]\n")
    stem = "embed: {type: conv_stem, strides: [4, 2], kernels: [7, 4]}"
    text = text.replace("embed: {type: patch, patch_size: 4}", stem)
    assert refused(text) == [
        f"10:58 memory.embed.kernels[1] {KERNEL.format(4, 2)}",
        "11:10 memory.block never runs: exchange.order leaves it out",
        "13:10 exchange.order each word runs at most once in a layer",
    ]


# A value in doubt, or a size that is refused, brings no second problem


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of all values of a document that are no mapping and no list."""
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from places(value, (*path, key))
    else:
        yield path


def misspelt(document: Document, path: tuple[Any, ...]) -> Document:
    """The document with one value that no word has."""
    wrong = copy.deepcopy(document)
    here: Any = wrong
    for step in path[:-1]:
        here = here[step]
    here[path[-1]] = "no such word"
    return wrong


SHELF = [
    "deit-b-16-distilled",
    "rev-vit-b",
    "lookupvit-b-3",
    "crossvit-b",
]


@pytest.mark.parametrize("name", SHELF)
def test_a_misspelt_value_is_the_only_problem(name: str) -> None:
    document = read_model(name).spec.document()
    more = []
    for path in places(document):
        if path != ("name",):
            problems = problems_of(misspelt(document, path))
            more += [(path, *problem) for problem in problems[1:]]
    assert more == []


REFUSED_SIZES = [
    ([process(embed=POOLED), memory(embed={"patch_size": 7})], "memory.embed.patch_size"),
    ([write(type="mlp", mlp_ratio=1), SAME_GRID, memory(embed={"patch_size": 7})],
     "memory.embed.patch_size"),
    ([write(type="mlp", mlp_ratio=1), memory(embed={**POOLED, "grid": 9})],
     "memory.embed.grid"),
]  # fmt: skip


@pytest.mark.parametrize(("patches", "path"), REFUSED_SIZES)
def test_a_refused_size_is_the_only_problem(patches: list[Document], path: str) -> None:
    assert [found for found, _ in problems_of(changed(*patches))] == [path]


# One meaning is one architecture

TWO_TOKENS: list[Document] = [process(**BOTH_TOKENS), memory(**CLS), output(pool="cls")]
CROSSVIT: list[Document] = [
    process(**CLS),
    memory(**CLS),
    read(queries="cls", width="source"),
    norm(placement="none"),
]
REV_VIT: list[Document] = [
    memory(embed=None),
    memory(embed=COPY),
    {"exchange": {"read": None, "write": None}},
    read(type="self_attention"),
    write(type="mlp", mlp_ratio=2),
]

SAME: list[tuple[list[Document], Document]] = [
    ([], read(queries="all", keys="all", with_query=False, width="target", out_proj=True)),
    ([], read(norms=["q", "k", "v"], weights="per_layer", fusion="add")),
    ([], read(norms=["v", "q", "k"])),
    ([], read(head_dim=16)),
    ([], read(num_heads=3)),
    ([read(norms=["q", "k"])], read(norms=["k", "q"])),
    (CROSSVIT, read(norms=[])),
    (CROSSVIT, norm(shared=True, weights="per_layer")),
    ([read(type="linear_attention")], read(normalise=True, out_proj="none")),
    ([read(type="linear_attention")], read(out_proj="allocated")),
    ([tied()], write(renormalise=False, values="own", norm=False, out_proj=False)),
    ([tied()], write(weights="per_layer", fusion={"type": "add"})),
    ([], process(block={"weights": "per_layer"})),
    ([memory(**MLP_BLOCK)], memory(block={"norm": True, "weights": "per_layer"})),
    ([], norm(weights="per_layer")),
    ([], memory(resize=32)),
    ([], memory(resize=[32, 32])),
    ([process(embed=POOLED)], process(embed={"method": "average", "grid": [2, 2]})),
    ([process(**stem(strides=[4, 2, 1]))], process(embed={"kernels": [7, 3, 3]})),
    ([memory(embed=COPY)], memory(dim=48)),
    ([], process(prefix_tokens=[])),
    ([], output(pool={"process": "mean", "memory": "mean"})),
    ([], output(pool={})),
    (TWO_TOKENS, output(pool={"process": "cls", "memory": "cls"})),
    (TWO_TOKENS, output(predict="mean")),
    ([output(combine="concat")], output(predict="concat")),
    ([output(combine="concat")], output(streams=["memory", "process"])),
    ([], order("read", "process", "write", "memory")),
    # Where only one stream is normalised, nothing can be shared by both.
    (REV_VIT, norm(shared=False)),
]  # fmt: skip


@pytest.mark.parametrize(("patches", "patch"), SAME)
def test_two_spellings_of_one_meaning_are_one_architecture(
    patches: list[Document], patch: Document
) -> None:
    short, long = plan(*patches), plan(*patches, patch)
    assert long.arch_id == short.arch_id
    assert long.canonical() == short.canonical()


def test_an_unused_projection_is_counted_and_no_other_architecture() -> None:
    plain, allocated = (
        plan(read(type="linear_attention", out_proj=out_proj)) for out_proj in ("none", "allocated")
    )
    assert plain.arch_id == allocated.arch_id
    assert params_allocated(allocated) - params_allocated(plain) == 2 * 49 * 48


OTHER: list[tuple[list[Document], list[Document]]] = [
    # Cross-attention
    ([process(**CLS), memory(**CLS)],
     [read(queries="cls"), read(keys="patches"), read(queries="cls", keys="patches"),
      read(with_query=True), read(width="source"), read(width="source", norms=["q", "k", "v"]),
      read(norms=[]), read(norms=["q"]), read(norms=["q", "k"]), read(out_proj=False),
      read(weights="shared"), read(head_dim=8), write(weights="shared")]),
    # Tied attention
    ([tied()],
     [write(renormalise=True), write(values="tied"), write(norm=True), write(out_proj=True),
      write(weights="shared"), write(fusion="erase"), norm(shared=False),
      norm(weights="shared"), norm(weights="shared", shared=False)]),
    # Linear attention
    ([read(type="linear_attention")], [read(normalise=False), read(out_proj="used")]),
    # Rev-ViT
    (REV_VIT,
     [write(mlp_ratio=3), read(num_heads=2), write(weights="shared"), norm(placement="none"),
      norm(placement="replace"), norm(weights="shared"), output(combine="concat"),
      output(combine="concat", streams=["process", "memory"]),
      memory(embed={"type": "patch", "patch_size": 8}),
      memory(embed={"type": "patch", "patch_size": 8}, **MLP_BLOCK)]),
    # Starts
    ([],
     [process(embed=POOLED), process(embed={**POOLED, "grid": [2, 1]}),
      process(embed={**POOLED, "method": "bilinear"}), process(embed=LEARNED),
      process(embed={**LEARNED, "num_tokens": 5}), process(embed=COPY), memory(embed=COPY),
      memory(embed=LEARNED), memory(embed={**POOLED, "grid": 4}), memory(resize=16),
      memory(resize=[32, 16]), process(resize=16), process(**stem(strides=[4, 2, 1])),
      process(**stem(strides=[4, 1, 2])), process(**stem(strides=[4, 2, 1], kernels=[7, 3, 1])),
      process(**stem(strides=[8], kernels=[8]))]),
    # Blocks
    ([memory(**MLP_BLOCK)],
     [process(block={"layer_scale": 0.1}), process(block={"layer_scale": 0.2}),
      process(block={"weights": "shared"}), memory(block={"norm": False}),
      memory(block={"weights": "shared"})]),
    # Order
    ([memory(**MLP_BLOCK)],
     [order(["process", "memory"], ["read", "write"]), order("process", "memory", "read", "write"),
      order(["process", "memory"], "read", "write"), order("process", "memory", ["read", "write"]),
      order(["read", "write"], ["process", "memory"])]),
    # Answers
    ([process(**BOTH_TOKENS), memory(**CLS), output(pool={"process": "cls"})],
     [output(pool={"process": "cls", "memory": "cls"}), output(predict="distillation"),
      output(predict="process"), output(predict="memory"), output(streams=["process", "memory"]),
      output(norm={"process": "pooled"}), output(norm={"process": "both"})]),
    ([process(**CLS), memory(**CLS), output(combine="concat")],
     [output(pool="cls"), output(streams=["process", "memory"]), output(combine=None)]),
]  # fmt: skip


@pytest.mark.parametrize(("patches", "others"), OTHER)
def test_every_other_value_makes_another_architecture(
    patches: list[Document], others: list[Document]
) -> None:
    found = {plan(*patches).arch_id: "as it is"}
    for patch in others:
        made = plan(*patches, patch)
        assert made.arch_id not in found, f"{patch} equals {found[made.arch_id]}"
        found[made.arch_id] = str(patch)
        # The normalised document says the same.
        document = check_model(tree_of(changed(*patches, patch), source="x")).spec.document()
        assert check_model(tree_of(document, source="x")).plan == made
