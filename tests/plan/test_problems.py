"""Every mistake in a model document has one clear message with its place and what is allowed."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from archdsl.errors import ArchdslError, DocumentError, NameNotFoundError
from archdsl.plan.read import read_model

Refused = Callable[[str], list[str]]

EXAMPLE = """\
archdsl: 1
name: my-vittm
image: {size: 224, channels: 3}
depth: 12
process:
  dim: 768.5
  embed: {type: patch, patch_size: 32}
  block: {type: transformer, head_dim: 64}
memory: {embed: {type: patches, patch_size: 16}}
exchange:
  norm: {placement: replace, shared: true}
  write: {type: linear_attention, latent_ratio: 0.25, fusion: add}
  read: {type: linear_attention, fusion: add, latent_rato: 0.25}
"""


def changed(text: str, changes: dict[str, str]) -> str:
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return text


def marked(text: str) -> tuple[str, list[str]]:
    """The text without its marks, and `line:column` of each."""
    lines, places = [], []
    for number, line in enumerate(text.split("\n"), start=1):
        *parts, last = line.split("§")
        ends = itertools.accumulate(map(len, parts))
        places += [f"{number}:{end + 1}" for end in ends]
        lines.append("".join([*parts, last]))
    return "\n".join(lines), places


def test_all_problems_in_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my-vittm.yaml").write_text(EXAMPLE)
    with pytest.raises(DocumentError) as caught:
        read_model("my-vittm.yaml")
    unknown_type, *rows = [str(caught.value).splitlines()[n] for n in (2, 0, 1, 3)]
    assert rows == [
        "my-vittm.yaml: 3 problems",
        "  6:8    process.dim                768.5 is not a whole number",
        "  13:47  exchange.read.latent_rato  unknown key; did you mean 'latent_ratio'?",
    ]
    assert unknown_type.startswith("  9:24   memory.embed.type          'patches' is not one of: ")
    assert unknown_type.endswith("did you mean 'patch'?")
    assert len(caught.value.problems) == 3


BLOCK = "  block: {type: transformer, head_dim: 16, mlp_ratio: 2}\n"
WRITE = "  write: {type: linear_attention, latent_ratio: 0.5}\n"
HOLE = "belongs in a study over this model; write one value here"
LATENT = (
    "0.3 of the width 48 is 14.4 channels: no whole number for each of 3 heads; "
    "use a multiple of 3/48, such as 0.3125"
)
CLS = "has no class token; write memory.prefix_tokens: [cls]"
VERSION = "language version 2 is newer than 1, the newest this archdsl reads; upgrade archdsl"

# What is changed in the valid document (§ marks where a problem is to be found), and the problems.
CASES: list[tuple[dict[str, str], list[str]]] = [
    # Keys
    ({"depth: 2": "§depht: 2"}, ["depht unknown key; did you mean 'depth'?"]),
    ({"archdsl": "§archdsl", "depth: 2\n": ""}, ["depth missing"]),
    ({"archdsl": "§archdsl", "depth: 2": "depth: null"}, ["depth missing"]),
    ({"depth: 2": "depth: 2\n§depth: 3"}, ["depth duplicate key 'depth', first in line 4"]),
    ({"  dim: 48": "  dim: 48\n  §7: 48"},
     ["process.7 the key 7 is not a word; quote it if it is meant as text"]),
    ({"channels: 3": "§kannels: 3"}, ["image.kannels unknown key; did you mean 'channels'?"]),
    ({"channels: 3": "§zzz: 3"}, ["image.zzz unknown key; known here: size, channels"]),
    # Values
    ({"depth: 2": "depth: §two"}, ["depth 'two' is not a whole number"]),
    ({"depth: 2": "depth: §[2]"}, ["depth a list is not a whole number"]),
    ({"dim: 48": "dim: §on"}, ["process.dim 'on' is not a whole number"]),
    ({"dim: 48": "dim: §off"}, ["process.dim 'off' is not a whole number"]),
    ({"dim: 48": "dim: §no"}, ["process.dim 'no' is not a whole number"]),
    ({"dim: 48": "dim: §12:30"}, ["process.dim '12:30' is not a whole number"]),
    ({"dim: 48": "dim: §768.5"}, ["process.dim 768.5 is not a whole number"]),
    ({"dim: 48": "dim: §48.0"}, ["process.dim 48.0 is not a whole number"]),
    ({"dim: 48": "dim: §true"}, ["process.dim true is not a whole number"]),
    ({"dim: 48": "dim: §-48"}, ["process.dim -48 is below 1"]),
    ({"dim: 48": "dim: §48000000"}, ["process.dim 48000000 is above 65536"]),
    ({"dim: 48": "dim: §" + "9" * 60},
     ["process.dim a number of 60 characters is longer than any word needs"]),
    ({"mlp_ratio: 2}": "mlp_ratio: §0}"}, ["process.block.mlp_ratio 0 is not above 0"]),
    ({"mlp_ratio: 2}": "mlp_ratio: §.nan}"}, ["process.block.mlp_ratio '.nan' is not a number"]),
    ({"size: 32": "size: §32px"},
     ["image.size '32px' is not a whole number or a list [height, width]"]),
    ({"size: 32": "size: §[32]"},
     ["image.size [32] is not a whole number or a list [height, width]"]),
    ({"size: 32": "size: §[32, 0]"}, ["image.size 0 is not between 1 and 65536"]),
    ({"shared: true": "shared: §1"}, ["exchange.norm.shared 1 is not true or false"]),
    ({"name: x": "name: §1"}, ["name 1 is not text; in quotes it is"]),
    ({"name: x": "name: §!!python/name:os.system x"},
     ["name the tag 'tag:yaml.org,2002:python/name:os.system' is not allowed; "
      "write the plain value"]),
    ({"[memory, process]": "[memory, §proces]"},
     ["output.streams[1] 'proces' is not one of: process, memory; did you mean 'process'?"]),
    ({BLOCK: "  block: §transformer\n"}, ["process.block 'transformer' is not a mapping"]),
    ({BLOCK: "  block: §{head_dim: 16}\n"},
     ["process.block.type missing; every node of this kind names its type"]),
    # Versions and kinds
    ({"archdsl: 1\nname": "§name"}, ["archdsl missing; write 'archdsl: 1' as the first line"]),
    ({"archdsl: 1": "archdsl: §'1'"}, ["archdsl '1' is text; write 1 without quotes"]),
    ({"archdsl: 1": "archdsl: §1.0"}, ["archdsl 1.0 is not a whole number"]),
    ({"archdsl: 1": "archdsl: §true"}, ["archdsl true is not a whole number"]),
    ({"archdsl: 1": "archdsl: §0"}, ["archdsl 0 is not one of: 1"]),
    ({"archdsl: 1": "archdsl: §2", "dim: 48": "width: {em: 3}"}, [f"archdsl {VERSION}"]),
    ({"name: x": "kind: §study\nbase: y\nname: x"},
     ["kind this document is a study; a model is wanted here"]),
    ({"name: x": "kind: §modell\nname: x"},
     ["kind 'modell' is not one of: model; did you mean 'model'?"]),
    # Holes
    ({"dim: 48": "dim: §{choose: [48, 64]}"}, [f"process.dim a hole ({{choose: …}}) {HOLE}"]),
    ({"depth: 2": "depth: §{range: [2, 4]}"}, [f"depth a hole ({{range: …}}) {HOLE}"]),
    ({BLOCK: "  block: §{same: b}\n"}, [f"process.block a hole ({{same: …}}) {HOLE}"]),
    ({"embed: {type: patch, patch_size: 4}": "embed: §{choose: {a: {type: patch}}}"},
     [f"memory.embed a hole ({{choose: …}}) {HOLE}"]),
    ({"depth: 2": "depth: 2\nlayers: [{at: [0], process: {blocks: §{choose: [1]}}}]"},
     [f"layers[0].process.blocks a hole ({{choose: …}}) {HOLE}"]),
    # Words that do not fit together
    ({"patch_size: 8": "patch_size: §7"},
     ["process.embed.patch_size 7 does not divide the image's height 32; "
      "for example 1, 2, 4, 8 do"]),
    ({"size: 32": "size: [32, 36]", "patch_size: 8": "patch_size: §8"},
     ["process.embed.patch_size 8 does not divide the image's width 36; "
      "for example 4, 6, 9, 12 do"]),
    ({"head_dim: 16": "head_dim: §14"},
     ["process.block.head_dim 14 does not divide the stream's width 48"]),
    ({"head_dim: 16": "num_heads: §7"},
     ["process.block.num_heads 7 does not divide the stream's width 48"]),
    ({"{type: transformer, head_dim: 16": "§{type: transformer, head_dim: 16, num_heads: 3"},
     ["process.block both are given: give head_dim or num_heads (null removes one)"]),
    ({"{type: transformer, head_dim: 16": "§{type: transformer"},
     ["process.block neither is given: give head_dim or num_heads (null removes one)"]),
    ({"mlp_ratio: 2}": "mlp_ratio: §0.01}"},
     ["process.block.mlp_ratio 0.01 of the width 48 leaves no hidden channel"]),
    ({"latent_ratio: 0.5": "latent_ratio: §0.3"},
     [f"exchange.read.latent_ratio {LATENT}", f"exchange.write.latent_ratio {LATENT}"]),
    ({"patch_size: 4}": "patch_size: 4}\n  dim: 96", "shared: true": "shared: §true"},
     ["exchange.norm.shared one norm cannot serve the widths 48 and 96; write shared: false"]),
    ({BLOCK: "", "read: {": "read: §{", "write: {": "write: §{"},
     [f"exchange.{word}.num_heads missing: there is no process block to take it from"
      for word in ("read", "write")]),
    # Words without effect
    ({"exchange:\n": "exchange:\n  order: [read, process, memory]\n", "write: {": "write: §{"},
     ["exchange.write never runs: exchange.order leaves it out"]),
    ({"exchange:\n": "exchange:\n  order: [read, write]\n", "block: {": "block: §{"},
     [f"{stream}.block never runs: exchange.order leaves it out"
      for stream in ("process", "memory")]),
    ({"exchange:\n": "exchange:\n  order: §[read, process, write, memory, read]\n"},
     ["exchange.order each word runs at most once in a layer"]),
    ({"  block: {type: mlp, mlp_ratio: 0.5}\n": "  blocks: §2\n"},
     ["memory.blocks has no effect: there is no block to repeat"]),
    ({"predict: memory": "norm: {process: §both}", "[memory, process]": "[memory]"},
     ["output.norm.process has no effect: this stream has no classifier"]),
    ({"predict: memory": "predict: §mean", "[memory, process]": "[memory]"},
     ["output.predict there is only one classifier to average"]),
    ({"predict: memory": "predict: §process", "[memory, process]": "[memory]"},
     ["output.predict 'process' has no classifier; streams are memory"]),
    ({"[memory, process]": "§[memory, memory]"}, ["output.streams names a stream twice"]),
    ({"num_classes: 10": "pool: §cls", "dim: 48": "dim: 48\n  prefix_tokens: [cls]"},
     [f"output.pool the memory stream {CLS}"]),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "problems"), CASES)
def test_one_mistake_one_message(
    changes: dict[str, str], problems: list[str], valid: str, refused: Refused
) -> None:
    text, places = marked(changed(valid, changes))
    assert refused(text) == [
        f"{place} {problem}" for place, problem in zip(places, problems, strict=True)
    ]


def test_unknown_head(valid: str, refused: Refused) -> None:
    old = "read: {type: linear_attention, latent_ratio: 0.5}"
    [row] = refused(valid.replace(old, "read: {type: linear_atention, latent_ratio: 0.3}"))
    assert row.startswith("14:16 exchange.read.type 'linear_atention' is not one of: ")
    assert "linear_attention" in row
    assert row.endswith("; did you mean 'linear_attention'?")


def test_memory_and_exchange_need_each_other(valid: str, refused: Refused) -> None:
    start, exchange, rest = valid.partition("exchange:\n")
    output = rest[rest.index("output") :]
    assert refused(start + output) == [
        "10:3 memory no layer reads or writes it; add exchange.read, or remove memory"
    ]
    alone = valid[: valid.index("memory:\n")]
    assert refused(alone + exchange + rest[: rest.index("output")]) == [
        "10:3 exchange there is no memory stream to exchange with"
    ]


def test_layers_that_do_nothing(valid: str, refused: Refused) -> None:
    alone = valid[: valid.index("memory:\n")].replace(BLOCK, "")
    assert refused(alone) == ["6:3 process the layers do nothing; add process.block"]


def test_published_layout_is_for_two_streams(valid: str, refused: Refused) -> None:
    alone = valid[: valid.index("memory:\n")] + "published_layout: true\n"
    assert refused(alone) == [
        "9:19 published_layout only two-stream models have a published layout"
    ]


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(NameNotFoundError, match=r"my\.yaml does not exist"):
        read_model(str(tmp_path / "my.yaml"))


@pytest.mark.parametrize(
    "name", ["\0", "a\0.yaml", "x" * 300, "x" * 300 + ".yaml", "", ".", "~nobody"]
)
def test_names_no_file_can_have(name: str) -> None:
    with pytest.raises(ArchdslError):
        read_model(name)


def test_layers_that_are_a_mapping_with_an_unknown_word(valid: str, refused: Refused) -> None:
    problems = refused(valid + "layers:\n  read: null\n")
    assert {each.partition(" ")[2] for each in problems} == {
        "layers.read unknown key; known here: at, process, memory, exchange",
        "layers a mapping is not a list",
    }


NODES = """\
archdsl: 1
name: x
image: {size: 32}
depth: 4
process:
  dim: 64
  embed: {type: patch, patch_size: 8}
  block: {type: transfomer, head_dim: 33, weights: sharred, mlp_ratio: -1}
memory: {embed: {type: patch, patch_size: 4}}
exchange:
  read: {type: linear_atention, latent_ratio: -1, fusion: ad}
  write: {fusion: {type: add, gate: shared}, weigths: shared}
layers:
  - {at: [-1], exchange: {write: {type: cros_attention, fusion: ad}}}
"""


def test_a_node_of_an_unknown_type_is_judged_by_what_all_types_share(refused: Refused) -> None:
    """The type decides about other words, such as `latent_ratio`; not about these."""
    found = {tuple(line.split()[:2]): line for line in refused(NODES)}
    assert {path for _, path in found} == {
        "process.block.type",
        "process.block.weights",
        "process.block.mlp_ratio",
        "exchange.read.type",
        "exchange.read.fusion",
        "exchange.write.type",
        "exchange.write.fusion.gate",
        "exchange.write.weigths",
        "layers[0].exchange.write.type",
        "layers[0].exchange.write.fusion",
    }
    assert "'ad' is not one of: add, erase, add_erase" in found["11:59", "exchange.read.fusion"]
    assert "did you mean 'weights'?" in found["12:46", "exchange.write.weigths"]
