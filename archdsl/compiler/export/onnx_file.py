"""A network as an ONNX file, for ONNX Runtime and other engines: `model.onnx`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor, nn

from archdsl.compiler.export.preprocessing import Preprocessing
from archdsl.compiler.export.torch_program import traced
from archdsl.errors import ArchdslError

FILE = "model.onnx"
OPSET = 20
"""The first with an operator for GELU."""
LARGEST = 1_900_000_000
"""Bytes of weights in one file, whose format ends at 2 GiB; more lie in a file beside it."""

SCRIPT = """\
import onnxruntime

session = onnxruntime.InferenceSession(str(Path(__file__).with_name("model.onnx")))
read = json.loads(session.get_modelmeta().custom_metadata_map["preprocessing"])


def logits_of(images):
    return session.run(None, {"images": images})[0]
"""


def check() -> None:
    """
    Raises:
        ArchdslError: what it takes is not installed.
    """
    try:
        for package in ("onnx", "onnxscript", "onnxruntime"):
            import_module(package)
    except ImportError as error:
        raise ArchdslError(
            f"exporting to ONNX needs onnx, onnxscript and onnxruntime, and one is not installed "
            f"({str(error).partition(chr(10))[0]}): pip install 'archdsl[onnx]', or leave onnx out "
            "of --to"
        ) from None


def engine() -> str:
    """What the file is checked with."""
    import onnxruntime

    return f"onnxruntime {onnxruntime.__version__}"


def write(network: nn.Module, folder: Path, preprocessing: Preprocessing) -> list[Path]:
    """Write the file, with what is said of its images among its metadata."""
    told = {"preprocessing": json.dumps(preprocessing.record())}
    return write_program(network, folder, preprocessing.image_shape, told)


def write_program(
    network: nn.Module,
    folder: Path,
    image_shape: tuple[int, int, int],
    metadata: Mapping[str, str] = MappingProxyType({}),
) -> list[Path]:
    """Write what `network(images)` computes, for any number of images."""
    program = torch.onnx.export(
        traced(network, image_shape),
        dynamo=True,
        input_names=["images"],
        output_names=["logits"],
        opset_version=OPSET,
        verbose=False,
    )
    if program is None:
        raise RuntimeError("torch.onnx.export returned nothing")
    program.model.metadata_props.update(metadata)
    weights = sum(each.nbytes for each in network.state_dict().values())
    program.save(folder / FILE, external_data=weights > LARGEST)
    return sorted(folder.glob(f"{FILE}*"))


def load(folder: Path) -> Callable[[Tensor], Tensor]:
    """A session of ONNX Runtime on the CPU, with as many threads as torch."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(
        str(folder / FILE), options, providers=["CPUExecutionProvider"]
    )

    def call(images: Tensor) -> Tensor:
        [logits] = session.run(None, {"images": images.numpy()})
        return torch.from_numpy(logits)

    return call
