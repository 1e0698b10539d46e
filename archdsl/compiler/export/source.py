"""A network as a Python file that imports torch alone: `model.py`, its weights in `weights.pt`."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from inspect import getsource
from io import BytesIO
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from archdsl.compiler.export.preprocessing import Preprocessing
from archdsl.compiler.export.source_network import network_text
from archdsl.compiler.export.source_text import CLASS, Classes
from archdsl.compiler.plain import is_plain
from archdsl.errors import ArchdslError
from archdsl.files import write_whole
from archdsl.nn.heads.cross_attention import join_heads, split_heads
from archdsl.nn.network import Network
from archdsl.version import __version__

FILE, WEIGHTS = "model.py", "weights.pt"

SCRIPT = """\
import torch
from model import build

network = build()
read = json.loads(Path(__file__).with_name("preprocessing.json").read_text(encoding="utf-8"))


def logits_of(images):
    with torch.no_grad():
        return network(torch.from_numpy(images)).numpy()
"""

_TOP = '''\
"""{name}, written out by archdsl {version} (architecture {arch_id}); needs torch alone.

`build()` gives the network in evaluation mode, with the weights that lie beside this file.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
'''

_PARTS = f'''\
class {CLASS}(nn.Module):
    """Modules and parameters by name."""

    def __init__(self, **parts: nn.Module | nn.Parameter) -> None:
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)'''

_BUILD = f'''\
WEIGHTS = Path(__file__).with_name("{WEIGHTS}")


def build(weights: str | Path = WEIGHTS) -> Network:
    """The network in evaluation mode, with the weights of a file."""
    with torch.device("meta"):
        network = Network()
    state = torch.load(weights, map_location="cpu", weights_only=True)
    network.load_state_dict(state, assign=True)
    return network.eval()
'''


def source_of(network: nn.Module) -> str:
    """The source of a network, which computes bit for bit the same.

    Raises:
        ArchdslError: it is no network of a document, or was changed since it was compiled.
    """
    if not isinstance(network, Network):
        raise ArchdslError(
            f"{type(network).__name__} is no network of a document, and only these are written as "
            "source; leave source out of --to"
        )
    if not is_plain(network):
        raise ArchdslError(
            "this network was changed since it was compiled, and source is written of what its "
            "document says; export that"
        )
    classes = Classes()
    classes.name("Parts", _PARTS)
    whole = network_text(network, classes)
    texts = [*classes.texts(), whole, _BUILD]
    for helper in (join_heads, split_heads):
        if any(f"{helper.__name__}(" in each for each in texts):
            texts.insert(0, getsource(helper).rstrip())
    top = _TOP.format(
        name=network.spec.name if network.spec else "A network",
        version=__version__,
        arch_id=network.plan.arch_id,
    )
    if any("functional." in each for each in texts):
        top += "from torch.nn import functional\n"
    return "\n\n\n".join([top.rstrip(), *texts])


def write(network: nn.Module, folder: Path, preprocessing: Preprocessing) -> list[Path]:
    """Write the file and its weights, which have the names of the network's own."""
    source, weights = source_of(network), BytesIO()
    state = {
        name: each.detach().cpu().contiguous()
        for name, each in network.state_dict().items()
        if not name.startswith("unused.")  # of published checkpoints; nothing reads them
    }
    torch.save(state, weights)
    write_whole(folder / FILE, source)
    write_whole(folder / WEIGHTS, weights.getvalue())
    return [folder / FILE, folder / WEIGHTS]


def load(folder: Path) -> Callable[[Tensor], Tensor]:
    """The network of the file, as Python reads it."""
    spec = importlib.util.spec_from_file_location("model", folder / FILE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # no __pycache__ beside it
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return cast(nn.Module, module.build())
