"""A network as a file that imports torch alone, and computes bit for bit the same."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import timm
import torch

import archdsl
from archdsl.compiler.export import source, source_heads
from archdsl.compiler.export.preprocessing import Preprocessing
from archdsl.compiler.export.source import source_of
from archdsl.compiler.export.taken import fresh
from archdsl.document.shelves import names
from archdsl.document.tree import tree_of
from archdsl.errors import ArchdslError
from archdsl.nn.network import Network
from archdsl.plan.read import check_model, read_model

MEMORY = {"embed": {"type": "patch", "patch_size": 4}, "prefix_tokens": ["cls"]}
LINEAR = {"type": "linear_attention", "num_heads": 3}
CROSS = {"type": "cross_attention", "num_heads": 3}
HEADS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "linear": (LINEAR, {**LINEAR, "normalise": False, "out_proj": "used", "fusion": "add_erase"}),
    "cross": (
        {**CROSS, "queries": "cls", "keys": "patches", "with_query": True, "width": "source"},
        {**CROSS, "norms": ["k"], "out_proj": False, "weights": "shared", "fusion": "erase"},
    ),
    "latent": ({"type": "latent_attention", "num_heads": 3}, LINEAR),
    "tied": (CROSS, {"type": "tied_attention", "renormalise": True, "norm": True}),
    "summary": ({"type": "token_summary"}, {"type": "token_summary", "fusion": "add_erase"}),
    "of_source": (
        {"type": "self_attention", "num_heads": 3, "fusion": "add"},
        {"type": "mlp", "mlp_ratio": 2, "fusion": "add"},
    ),
}
PREPROCESSING = Preprocessing(
    class_names="abc", channels=3, image_size=(16, 16), crop_pct=1.0, depth=16,
    mean=(0.0,) * 3, std=(1.0,) * 3,
)  # fmt: skip


def small(heads: str) -> Network:
    """A document with a read and a write."""
    read, write = HEADS[heads]
    block = {"type": "transformer", "num_heads": 3, "layer_scale": 0.1}
    document = {
        "archdsl": 1,
        "name": heads,
        "image": {"size": 16},
        "depth": 3,
        "process": {**MEMORY, "dim": 24, "block": block, "blocks": 2},
        "memory": {**MEMORY, "block": {"type": "mlp", "mlp_ratio": 1, "weights": "shared"}},
        "exchange": {"norm": {"placement": "pre"}, "read": read, "write": write},
        "layers": [{"at": [-1], "exchange": {"write": None}}],
        "output": {"num_classes": 3, "pool": {"process": "cls", "memory": "mean"}},
    }
    checked = check_model(tree_of(document, source=heads))
    network = fresh(checked.plan, seed=0)
    network.spec = checked.spec
    return network


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Network, Path]]:
    """Each of `HEADS` in a folder of its own."""
    found = {}
    for name in HEADS:
        network, folder = small(name), tmp_path_factory.mktemp(name)
        files = source.write(network, folder, PREPROCESSING)
        assert sorted(files) == sorted(folder.iterdir())
        found[name] = (network, folder)
    return found


def images_for(network: Network) -> torch.Tensor:
    return torch.randn(2, *network.plan.image, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", HEADS)
@torch.no_grad()
def test_every_head_computes_the_same(written: dict[str, tuple[Network, Path]], name: str) -> None:
    network, folder = written[name]
    made: Any = source.load(folder)
    images = images_for(network)
    assert torch.equal(made(images), network(images))
    found, expected = made.forward_heads(images), network.forward_heads(images)
    assert list(found) == list(expected)
    assert all(torch.equal(found[each], expected[each]) for each in expected)
    assert made.state_dict().keys() == network.state_dict().keys()
    assert not made.training


def test_the_files_are_formatted_and_import_torch_alone(
    written: dict[str, tuple[Network, Path]],
) -> None:
    files = [str(folder / source.FILE) for _, folder in written.values()]
    ruff = [sys.executable, "-m", "ruff"]
    wide = ["--isolated", "--line-length", "100"]
    for command in (["format", "--check"], ["check", "--select", "E,W,F,I,B,UP,PIE,RUF"]):
        done = subprocess.run([*ruff, *command, *wide, *files], capture_output=True, check=False)
        assert done.returncode == 0, done.stdout.decode()
    for file in files:
        text = Path(file).read_text()
        imports = re.findall(r"^(?:from|import) (\S+)", text, flags=re.MULTILINE)
        assert set(imports) == {"__future__", "pathlib", "torch", "torch.nn"}


ALONE = """
import sys

class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("archdsl", "timm", "torchvision", "safetensors"):
            raise ImportError(name)

sys.meta_path.insert(0, Refused())
import torch
for folder in sys.argv[1:]:
    sys.path.insert(0, folder)
    import model
    torch.save(model.build()(torch.load(folder + "/images.pt")).detach(), folder + "/logits.pt")
    del sys.modules["model"], sys.path[0]
"""


@pytest.mark.slow
@pytest.mark.process
@torch.no_grad()
def test_neither_archdsl_nor_timm_is_needed(
    written: dict[str, tuple[Network, Path]], tmp_path: Path
) -> None:
    for network, folder in written.values():
        torch.save(images_for(network), folder / "images.pt")
    folders = [str(folder) for _, folder in written.values()]
    subprocess.run([sys.executable, "-c", ALONE, *folders], cwd=tmp_path, check=True)
    for network, folder in written.values():
        assert torch.equal(torch.load(folder / "logits.pt"), network(images_for(network)))


@pytest.mark.slow
@pytest.mark.parametrize("name", names("specs"))
@torch.no_grad()
def test_every_document_of_the_shelf_computes_the_same(name: str, tmp_path: Path) -> None:
    network = fresh(read_model(name, ["depth=1"]).plan, seed=0)
    source.write(network, tmp_path, PREPROCESSING)
    images = images_for(network)
    assert torch.equal(source.load(tmp_path)(images), network(images))


def test_nothing_is_said_that_this_network_does_not_need() -> None:
    text = source_of(archdsl.compile("vit-b-32"))
    assert text.startswith('"""vit-b-32, written out by archdsl ')
    for word in ("memory", "LayerScale", "split_heads", "forward_heads", "shared", "Identity"):
        assert word not in text
    assert "    def forward(self, process: Tensor) -> Tensor:" in text
    assert "process = process + self.embeds.process.position  # (batch, 50, 768)" in text


@torch.no_grad()
def test_types_and_what_is_left_without_classes(tmp_path: Path) -> None:
    network = fresh(read_model("crossvit-18", ["depth=1", "process.blocks=1"]).plan, seed=0)
    network.bfloat16().reset_classifier(0)
    source.write(network, tmp_path, PREPROCESSING)
    images = images_for(network).bfloat16()
    found = source.load(tmp_path)(images)
    assert (found.dtype, found.shape) == (torch.bfloat16, (2, 448 + 224))
    assert torch.equal(found, network(images))


@torch.no_grad()
def test_a_head_that_nothing_writes_out_has_its_own_source(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delitem(source_heads.HEADS, "linear_attention")  # type: ignore[attr-defined]
    network = small("linear")
    source.write(network, tmp_path, PREPROCESSING)
    images = images_for(network)
    assert torch.equal(source.load(tmp_path)(images), network(images))
    text = (tmp_path / source.FILE).read_text()
    assert "        if self.normalise:" in text
    assert "q = q / (normaliser + 1e-06)" in text
    monkeypatch.delitem(source_heads.HEADS, "cross_attention")  # type: ignore[attr-defined]
    with pytest.raises(ArchdslError, match="the head cross_attention is not written as source"):
        source_of(small("cross"))


def test_what_no_document_says_is_refused() -> None:
    with pytest.raises(ArchdslError, match="VisionTransformer is no network of a document"):
        source_of(timm.create_model("test_vit"))
    network = small("linear")
    network.replace("layers.0.read.fusion", torch.nn.Identity())
    with pytest.raises(ArchdslError, match="changed since it was compiled"):
        source_of(network)
