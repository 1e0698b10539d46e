"""The conditions a quantity is measured under, as a study states them. Imports no torch.

Whatever may change a number is here and is part of the measurement's key; the two limits of a
latency say only how hard to try, and are not.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from archdsl.spec.base import Node

NOT_KEYED = frozenset({"device", "precision", "max_seconds"})
"""Fields outside the key: the fingerprint tells the real device; limits change only the effort."""


class Conditions(Node):
    """What a latency is measured under."""

    device: Annotated[str, Field(min_length=1)]
    """`cpu`, `cuda`, a part of a GPU's name such as `A100`, or `any` (a GPU where there is one)."""
    batch: Annotated[int, Field(ge=1)]
    """Images per call."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Type of weights and images."""
    tf32: bool = False
    """Whether float32 products may run in TensorFloat-32 (NVIDIA, Ampere and later)."""
    threads: Annotated[int, Field(ge=1)] | None = None
    """CPU threads; torch's own default unless given."""
    heads: Literal["all", "predicted"] = "all"
    """Run every stream's classifier, or only what the model's prediction needs."""
    precision: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Half-width of the median's 95 % interval, over the median, at which sampling stops."""
    max_seconds: Annotated[float, Field(gt=0)] = 8.0
    """Timed seconds after which sampling stops all the same (the result is then not steady)."""

    @field_validator("tf32")
    @classmethod
    def _has_an_effect(cls, tf32: bool, info: ValidationInfo) -> bool:
        if tf32 and (info.data.get("device") == "cpu" or info.data.get("dtype") != "float32"):
            raise PydanticCustomError(
                "no_effect", "TensorFloat-32 exists only for float32 on a CUDA device; remove tf32"
            )
        return tf32

    def keyed(self) -> dict[str, Any]:
        """The conditions that are part of a measurement's key."""
        return self.model_dump(mode="json", exclude=set(NOT_KEYED))
