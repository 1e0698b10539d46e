"""State dicts from files and mappings; nothing in a file is ever executed."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from archdsl.errors import WeightsError

StateDict = Mapping[str, Tensor]
"""Tensors by name."""

_WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model")
_CODE = re.compile(r"GLOBAL|Unsupported (global|class)")
"""torch's words about a pickle that names a function or a class of its own."""


def read_state(weights: str | Path | StateDict) -> dict[str, Tensor]:
    """The tensors of a state dict, or of a file: safetensors, or torch's format read without
    unpickling; bare, or inside a training checkpoint.

    Raises:
        WeightsError: the file cannot be read, or there is no state dict.
    """
    if isinstance(weights, str | Path):
        return _state_dict(_read(weights), str(weights))
    return _state_dict(weights, "what was given")


def _read(path: str | Path) -> Any:
    try:
        with Path(path).open("rb"):
            pass
        if Path(path).suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the version of a pickle
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror or error}") from None
    except (SafetensorError, EOFError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else "it ends too early"
        raise WeightsError(f"{path} is damaged or no file of weights: {reason}") from None
    except Exception as error:
        # Damaged pickles lead torch's reader astray in many ways: KeyError, IndexError, TypeError.
        if isinstance(error, pickle.UnpicklingError) and _CODE.search(str(error)):
            raise WeightsError(
                f"{path} holds more than tensors and is not read: its code could do anything. "
                "Save its state dict as safetensors"
            ) from None
        raise WeightsError(f"{path} is damaged or no file of weights") from None


def _state_dict(loaded: Any, source: str) -> dict[str, Tensor]:
    for wrapper in _WRAPPERS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(wrapper), Mapping):
            loaded = loaded[wrapper]
    if not isinstance(loaded, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in loaded.items()
    ):
        raise WeightsError(f"{source} holds no state dict (a mapping of names to tensors)")
    return dict(loaded)
