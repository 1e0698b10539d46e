"""What of a network is made for one number of tokens, and so for one resolution."""

from __future__ import annotations

from archdsl.plan.plan import ExchangeStep, Plan, word_steps
from archdsl.spec.base import words
from archdsl.spec.fusion import Fusion
from archdsl.spec.heads import Head

_FIXED = {
    word for union in (Head, Fusion) for word, each in words(union).items() if each.fixes_tokens
}


def fixed_tokens(plan: Plan) -> tuple[str, ...]:
    """Words whose weights hold a number of tokens (`read: token_summary`): at another resolution
    they need other weights, while position tables are resampled."""
    found = {
        f"{step.word}: {part.type}": None
        for layer in plan.layers
        for step in word_steps(layer)
        if isinstance(step, ExchangeStep)
        for part in (step.head, step.fusion)
        if part.type in _FIXED
    }
    return tuple(found)
