"""Published weights into compiled models: our own, those of timm's ViTs, of published ViTTMs."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.layers import pos_embed
from torch import Tensor

from archdsl.compiler.layouts import LAYOUTS, Layout, guess, renamed
from archdsl.document.messages import one_of
from archdsl.errors import WeightsError
from archdsl.nn.network import Network
from archdsl.plan.plan import ExchangeStep, word_steps

StateDict = Mapping[str, Tensor]
"""Tensors by name."""

_WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model")
_MOST_NAMED = 12
_CODE = re.compile(r"GLOBAL|Unsupported (global|class)")
"""torch's words about a pickle that names a function or a class of its own."""


def load_weights(
    model: Network,
    weights: str | Path | StateDict,
    layout: Literal["auto", "archdsl", "timm", "vittm"] = "auto",
) -> None:
    """Copy published weights into `model`, tensor by tensor.

    Position tables of another grid are resampled (bicubic, in float32, as timm does). Tensors that
    published checkpoints hold and never use are taken where the model allocates them
    (`published_layout: true`) and left out otherwise.

    Args:
        model: a compiled document.
        weights: a state dict, or a file (safetensors, or torch's format read without unpickling).
        layout: how the tensors are named; `auto` tells from the names.

    Raises:
        WeightsError: the file cannot be read, or any tensor is missing, surplus or of another
            shape; all of them are named. The model is then unchanged.
    """
    state = dict(_read(weights)) if isinstance(weights, str | Path) else dict(weights)
    chosen = guess(set(state)) if layout == "auto" else layout
    if chosen not in LAYOUTS:
        raise WeightsError(f"layout {one_of(chosen, ('auto', *LAYOUTS))}")
    wanted = model.state_dict()
    found = _translated(state, model, chosen, wanted)
    problems = _problems(found, wanted)
    if problems:
        raise WeightsError(
            f"these weights ({chosen} layout) are not of this architecture:\n" + "\n".join(problems)
        )
    model.load_state_dict({name: found[name] for name in wanted})


def _translated(
    state: Mapping[str, Tensor], model: Network, layout: Layout, wanted: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The tensors under our names, shaped as ours where only the form differs."""
    unused = {name.removeprefix("unused."): name for name in wanted if name.startswith("unused.")}
    known_dead = _known_dead(state, model, layout)
    found: dict[str, Tensor] = {}
    for name, tensor in state.items():
        stored = unused.get(name.replace(".", "/"))
        if stored:
            found[stored] = tensor
        elif name not in known_dead:
            ours = renamed(name, layout)
            found[ours] = _reshaped(ours, tensor, model, wanted.get(ours))
    return found


def _known_dead(state: Mapping[str, Tensor], model: Network, layout: Layout) -> set[str]:
    """Tensors of published ViTTM checkpoints that nothing reads."""
    if layout != "vittm":
        return set()
    dead = {"cls_token", "pos_embed"} & set(state)
    if "memory_embedder.proj.weight" in state:  # otherwise the memory stream inherits it
        dead |= {name for name in state if name.startswith("patch_embed.")}
    for number, layer in enumerate(model.plan.layers):
        for step in word_steps(layer):
            if isinstance(step, ExchangeStep) and step.head.type == "linear_attention":
                prefix = f"{step.word}_head.{number}.proj."
                dead |= {name for name in state if name.startswith(prefix)}
    return dead


def _reshaped(name: str, tensor: Tensor, model: Network, wanted: Tensor | None) -> Tensor:
    if wanted is None or tensor.shape == wanted.shape:
        return tensor
    if name.endswith("embed.proj.weight") and tensor.dim() == 4:
        return tensor.flatten(1)  # a convolution's kernel: (dim, channels, height, width)
    stream = name.removeprefix("embeds.").removesuffix(".position")
    if name == f"embeds.{stream}.position" and stream in model.plan.streams:
        return _resampled(tensor, model, stream)
    return tensor


def _resampled(table: Tensor, model: Network, stream: Any) -> Tensor:
    """A position table (1, tokens, dim) on the stream's own grid; square tables only."""
    plan = model.plan.streams[stream]
    prefix = len(plan.prefix_tokens)
    side = round((table.shape[1] - prefix) ** 0.5)
    if side * side + prefix != table.shape[1] or table.shape[-1] != plan.dim:
        return table
    resampled: Tensor = pos_embed.resample_abs_pos_embed(
        table.float(), new_size=list(plan.grid), num_prefix_tokens=prefix
    )
    return resampled.to(table.dtype)


def _problems(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> list[str]:
    misshapen = [
        f"{name} {tuple(found[name].shape)} instead of {tuple(wanted[name].shape)}"
        for name in wanted
        if name in found and found[name].shape != wanted[name].shape
    ]
    groups = {
        "missing": [name for name in wanted if name not in found],
        "surplus": [name for name in found if name not in wanted],
        "of another shape": misshapen,
    }
    lines = []
    for what, names in groups.items():
        if names:
            more = f", and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
            lines.append(f"  {what}: {', '.join(names[:_MOST_NAMED])}{more}")
    return lines


def _read(path: str | Path) -> Mapping[str, Tensor]:
    """Tensors of a file; nothing in it is ever executed."""
    try:
        with Path(path).open("rb"):
            pass
        if Path(path).suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the version of a pickle
            loaded = torch.load(path, map_location="cpu", weights_only=True)
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
    return _state_dict(loaded, path)


def _state_dict(loaded: Any, path: str | Path) -> Mapping[str, Tensor]:
    for wrapper in _WRAPPERS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(wrapper), Mapping):
            loaded = loaded[wrapper]
    if not isinstance(loaded, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in loaded.items()
    ):
        raise WeightsError(f"{path} holds no state dict (a mapping of names to tensors)")
    return loaded
