"""Engines that a latency may be of in place of torch; networks reach them by way of ONNX."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from archdsl.compiler.export import onnx_file
from archdsl.compiler.export.engine import Engine
from archdsl.compiler.export.export import quiet, told_as_ours
from archdsl.compiler.optimize import Optimized
from archdsl.errors import MeasureError


@dataclass(frozen=True, kw_only=True)
class Backend:
    """An engine.

    Args:
        check: sees that what it takes is installed.
        version: its name and version.
        load: of the folder with an ONNX file what computes it, with as many threads as torch.
    """

    check: Callable[[], None]
    version: Callable[[], str]
    load: Callable[[Path], Callable[[Tensor], Tensor]]


def moved(network: nn.Module, backend: str, *, image_shape: tuple[int, int, int]) -> Engine:
    """A network in an engine: `network(images)`, of float32 images on the CPU.

    Args:
        network: in evaluation mode.
        backend: name of the engine.
        image_shape: (channels, height, width).

    Raises:
        ArchdslError: the engine is not installed, or does not take the network.
    """
    engine = BACKENDS[backend]
    engine.check()
    plain = network.rewritten if isinstance(network, Optimized) else network
    with TemporaryDirectory() as name:
        folder = Path(name)
        with told_as_ours(f"the network does not go to {engine.version()}"), quiet():
            onnx_file.write_program(plain, folder, image_shape)
            return Engine(engine.load(folder))


def _check_openvino() -> None:
    onnx_file.check()
    try:
        import_module("openvino")
    except ImportError:
        raise MeasureError(
            "openvino is not installed: pip install 'archdsl[openvino]', or name another backend"
        ) from None


def _openvino_version() -> str:
    openvino: Any = import_module("openvino")
    return f"openvino {openvino.__version__.partition('-')[0]}"


def _load_openvino(folder: Path) -> Callable[[Tensor], Tensor]:
    openvino: Any = import_module("openvino")
    settings = {
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = openvino.Core().compile_model(str(folder / onnx_file.FILE), "CPU", settings)
    request = compiled.create_infer_request()

    def call(images: Tensor) -> Tensor:
        [logits] = request.infer([images.numpy()], share_inputs=True).values()
        return torch.from_numpy(logits)

    return call


BACKENDS: Mapping[str, Backend] = {
    "onnxruntime": Backend(check=onnx_file.check, version=onnx_file.engine, load=onnx_file.load),
    "openvino": Backend(check=_check_openvino, version=_openvino_version, load=_load_openvino),
}
