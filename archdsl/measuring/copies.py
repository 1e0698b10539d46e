"""Copies of modules: what is measured or traced is never the caller's own."""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from archdsl.errors import MeasureError
from archdsl.free_memory import lacks_memory


def copy_of(network: nn.Module, memo: dict[int, Any] | None = None) -> nn.Module:
    """A copy that shares nothing with `network`.

    Tensors that it keeps of an earlier call (an attention map, what `weight_norm` makes) are copied
    without how they were computed, which torch cannot copy.

    Args:
        network: any module.
        memo: of parts that are replaced, id to what stands there in the copy.

    Raises:
        MeasureError: a part of it cannot be copied.
    """
    memo = {} if memo is None else memo
    for module in network.modules():
        for value in tree_leaves(vars(module)):
            if isinstance(value, Tensor) and not value.is_leaf:
                memo[id(value)] = value.detach().clone()
    try:
        return copy.deepcopy(network, memo)
    except Exception as error:
        if lacks_memory(error):
            raise
        name, first = type(network).__qualname__, str(error).partition("\n")[0]
        raise MeasureError(
            f"a copy of {name} is what is measured, and copy.deepcopy cannot make one: "
            f"{type(error).__name__}: {first}; take out what cannot be copied (an open file, a "
            "lock), or give it a __deepcopy__"
        ) from error
