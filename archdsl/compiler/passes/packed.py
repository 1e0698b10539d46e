"""Linear maps with weights in the layout that the CPU's matrix products (oneDNN) read them in, and
with the GELU behind them in the same kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from timm.layers.mlp import Mlp
from torch import Tensor, nn

from archdsl.compiler.passes.calls import calls_of, forward_of
from archdsl.compiler.passes.rewrite import Pass, Rewrite, Target
from archdsl.nn.blocks import MlpBlock
from archdsl.nn.heads.mlp import MlpHead
from archdsl.nn.heads.token_summary import TokenSummary

_ONEDNN: Any = torch.ops.mkldnn


class PackedLinear(nn.Module):
    """A linear map that cannot be trained.

    Args:
        linear: what it computes.
        rows: tokens of a call, images times tokens of each; others are served, perhaps slower.
        activation: `none` or `gelu`, which follows.
    """

    def __init__(self, linear: nn.Linear, *, rows: int, activation: str = "none") -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.activation = activation
        self.bias = linear.bias
        self.packed_bytes = linear.weight.nbytes
        # No parameter and no buffer: it is neither moved, nor kept, nor told of.
        self._packed = (_ONEDNN._reorder_linear_weight(linear.weight.detach(), rows),)

    def forward(self, tokens: Tensor) -> Tensor:
        """(..., in_features) -> (..., out_features)."""
        found: Tensor = _ONEDNN._linear_pointwise(
            tokens, self._packed[0], self.bias, self.activation, [], "none"
        )
        return found


def pack(module: nn.Module, run: Callable[[], Any], target: Target) -> tuple[int, int]:
    """Pack the linear maps of a module where that can be done.

    Args:
        module: changed in place.
        run: calls it as it will be called.
        target: where.

    Returns:
        How many are packed, and how many of them with their GELU.
    """
    if target.device.type != "cpu" or not target.packs or not _is_served(target.dtype):
        return 0, 0
    packed, fused = 0, _with_gelu(module)
    for path, call in calls_of(module, run, nn.Linear).items():
        if type(call.module) is not nn.Linear or _is_read_directly(module, path):
            fused.pop(path, None)
            continue
        rows = call.inputs[0].shape[:-1].numel()
        activation = "gelu" if path in fused else "none"
        module.set_submodule(path, PackedLinear(call.module, rows=rows, activation=activation))
        if path in fused:
            module.set_submodule(fused[path], nn.Identity())
        packed += 1
    return packed, len(fused)


def packed_bytes(network: nn.Module) -> int:
    """What packed weights of a network take."""
    return sum(each.packed_bytes for each in network.modules() if isinstance(each, PackedLinear))


def _apply(network: nn.Module, target: Target) -> Rewrite:
    run = forward_of(network, target)
    packed, fused = pack(network, run, target) if run is not None else (0, 0)
    line = f"{packed} linear maps packed, {fused} of them with the GELU behind them"
    return Rewrite(network=network, explanation=(line,) if packed else ())


def _is_served(dtype: torch.dtype) -> bool:
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    low = dtype is torch.bfloat16 and _ONEDNN._is_mkldnn_bf16_supported()
    return dtype is torch.float32 or bool(low)


def _with_gelu(network: nn.Module) -> dict[str, str]:
    """Path of each linear map that an exact GELU follows at once -> path of that GELU."""
    found = {}
    for path, module in network.named_modules():
        if isinstance(module, Mlp | MlpBlock | MlpHead | TokenSummary):
            act = module.act
            if isinstance(act, nn.GELU) and act.approximate == "none":
                prefix = f"{path}." if path else ""
                found[f"{prefix}fc1"] = f"{prefix}act"
    return found


def _is_read_directly(network: nn.Module, path: str) -> bool:
    """Whether something takes the weights without a call."""
    holder, _, name = path.rpartition(".")
    return name in getattr(network.get_submodule(holder), "reads_directly", ())


PACKED = Pass(
    name="packed",
    needs="linear maps on a CPU in float32, or bfloat16 where it has that, which are not compiled",
    trains=False,
    apply=_apply,
)
