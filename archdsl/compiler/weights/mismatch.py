"""What of some weights does not fit a model, in words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from torch import Tensor

from archdsl.document.messages import counted, listed
from archdsl.nn.network import Network
from archdsl.plan.plan import ExchangeStep, PartPlan, Plan, StreamPlan, word_steps
from archdsl.plan.resolution import fixed_tokens

Shape = tuple[int, ...]

_MOST_NAMED = 12
OF_TOKENS = re.compile(r".+\.(?:fc1|fc2|gate)\.(?:weight|bias)")
"""Tensors of these words whose first axis is the number of target tokens."""


def tensors_listed(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    return listed(names, most=_MOST_NAMED, rest=", and {} more")


def kernel_shape(stream: StreamPlan) -> Shape | None:
    """Shape of a patch embedding's weights as a convolution; None of any other embedding."""
    if stream.embed.type != "patch":
        return None
    words = ("dim", "channels", "patch_height", "patch_width")
    return tuple(int(str(stream.embed.arguments[word])) for word in words)


def mismatches(found: Mapping[str, Tensor], model: Network) -> list[str]:
    """A line for everything that does not fit, all tensors under our names; none if all does."""
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    kernels = {
        f"embeds.{name}.embed.proj.weight": kernel_shape(stream)
        for name, stream in model.plan.streams.items()
    }
    # What is still a kernel has not fitted as one, and is told the kernel that would.
    as_found = {
        name: (name in found and found[name].dim() == 4 and kernels.get(name)) or shape
        for name, shape in wanted.items()
    }
    return differences(found, as_found) + _of_another_resolution(found, wanted, model.plan)


def differences(found: Mapping[str, Tensor], wanted: Mapping[str, Shape]) -> list[str]:
    """A line each for tensors that are missing, surplus or of another shape."""
    groups = {
        "missing": [name for name in wanted if name not in found],
        "surplus": [name for name in found if name not in wanted],
        "of another shape": [
            f"{name} {tuple(found[name].shape)} instead of {shape}"
            for name, shape in wanted.items()
            if name in found and tuple(found[name].shape) != shape
        ],
    }
    return [f"  {what}: {tensors_listed(names)}" for what, names in groups.items() if names]


def _of_another_resolution(
    found: Mapping[str, Tensor], wanted: Mapping[str, Shape], plan: Plan
) -> list[str]:
    words = words_with_tokens(plan)
    lines: dict[str, None] = {}
    for name in (name for name in wanted if name in found and OF_TOKENS.fullmatch(name)):
        word = next((word for start, word in words.items() if name.startswith(start)), None)
        tokens = found[name].shape[:1]
        if word and tokens and tokens != wanted[name][:1]:
            text = (
                f"  {word} holds the number of tokens in its weights: these weights are for "
                f"another resolution ({counted(tokens[0], 'token')}, not {wanted[name][0]})"
            )
            lines[text] = None
    return list(lines)


def words_with_tokens(plan: Plan) -> dict[str, str]:
    """Start of the names of a word's tensors -> the word, where they hold a number of tokens."""
    fixed = fixed_tokens(plan)
    found: dict[str, str] = {}
    for number, layer in enumerate(plan.layers):
        for step in word_steps(layer):
            if isinstance(step, ExchangeStep):
                parts: dict[str, PartPlan] = {"head": step.head, "fusion": step.fusion}
                for role, part in parts.items():
                    own = f"layers.{number}.{step.word}.{role}."
                    start = f"shared.{step.word}_{role}" if part.shared else own
                    if f"{step.word}: {part.type}" in fixed:
                        found[start] = f"{step.word}: {part.type}"
    return found
