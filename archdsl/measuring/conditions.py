"""The conditions a quantity is measured under, as a study states them. Imports no torch.

Whatever may change a number is here and is part of the measurement's key. Three words are not:
`device`, as the fingerprint in the key names the real one, and the two limits of a latency, which
say only how hard to try.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

from archdsl.spec.base import YOUNGER, StoredNode

NOT_KEYED = frozenset({"device", "precision", "max_seconds"})
"""Fields outside the key: the fingerprint tells the real device; limits change only the effort."""


class CallConditions(StoredNode):
    """What a batch is sent through a network under, whatever is measured of the call."""

    device: Annotated[str, Field(min_length=1)]
    """`cpu`, `cuda`, a part of a GPU's name such as `A100`, or `any` (a GPU where there is one)."""
    batch: Annotated[int, Field(ge=1, le=65_536)]
    """Images per call."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Type of weights and images; with `autocast`, of the operations that bear it."""
    autocast: Annotated[bool, YOUNGER] = False
    """Keep weights and images in float32 and let torch choose which operations run in `dtype`."""
    channels_last: Annotated[bool, YOUNGER] = False
    """Images and convolutions' weights with the channels innermost in memory."""
    heads: Literal["all", "predicted"] = "all"
    """Run every stream's classifier, or only what the model's prediction needs."""
    optimize: Annotated[bool, YOUNGER] = False
    """Rewrite the network for the device first, as `archdsl compile --optimize` does."""

    @model_validator(mode="after")
    def _have_an_effect(self) -> Self:
        found = [
            InitErrorDetails(
                type=PydanticCustomError("no_effect", "{why}", {"why": why}),
                loc=(name,),
                input=getattr(self, name),
            )
            for name, why in self._without_effect().items()
        ]
        if found:
            raise ValidationError.from_exception_data(type(self).__name__, found)
        return self

    def _without_effect(self) -> dict[str, str]:
        """Words that change nothing beside the others, and why."""
        if self.autocast and self.dtype == "float32":
            return {"autocast": "has no effect with float32; name another dtype, or remove it"}
        return {}

    def keyed(self) -> dict[str, Any]:
        """The conditions that are part of a measurement's key."""
        fields: dict[str, Any] = self.model_dump(mode="json")
        return {name: value for name, value in fields.items() if name not in NOT_KEYED}


class MemoryConditions(CallConditions):
    """What one batch is sent through the network under."""


class Conditions(CallConditions):
    """What a latency is measured under."""

    tf32: bool = False
    """Whether float32 products may run in TensorFloat-32 (NVIDIA, Ampere and later)."""
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    """CPU threads; torch's own default unless given, bounded by the cores that this process may use
    where they are fewer than the host's."""
    compile: Annotated[Literal["default", "reduce-overhead", "max-autotune"] | None, YOUNGER] = None
    """Mode of torch.compile; the network runs as it is unless given."""
    cuda_graphs: Annotated[bool, YOUNGER] = False
    """Record the call's kernels once and replay them together: no launch costs."""
    backend: Annotated[Literal["torch", "onnxruntime", "openvino"], YOUNGER] = "torch"
    """What computes it: torch, or an engine that takes the network as an ONNX file, on the CPU."""
    precision: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Half-width of the median's 95 % interval, over the median, at which sampling stops."""
    max_seconds: Annotated[float, Field(gt=0)] = 8.0
    """Timed seconds after which sampling stops all the same (the result is then not steady); half
    as many more at most go to blocks that were disturbed, which are taken again."""

    def _without_effect(self) -> dict[str, str]:
        found = super()._without_effect()
        if self.backend != "torch":
            for word, wanted in _OF_ENGINES.items():
                if getattr(self, word) != wanted:
                    found[word] = (
                        f"is not for the backend {self.backend}; say {word}: {wanted}"
                        if word in ("device", "dtype", "heads")
                        else f"is torch's, and the backend is {self.backend}; remove it"
                    )
        if self.tf32 and (self.device == "cpu" or self.dtype != "float32"):
            found["tf32"] = "has an effect only on float32 products of a CUDA device; remove it"
        if self.cuda_graphs and self.device == "cpu":
            found["cuda_graphs"] = "has an effect only on a CUDA device; remove it"
        if self.cuda_graphs and self.compile is not None:
            found["cuda_graphs"] = (
                "a compiled network makes its own graphs in the mode reduce-overhead; name either "
                "cuda_graphs or compile"
            )
        return found


_OF_ENGINES: Mapping[str, Any] = {
    "device": "cpu",
    "dtype": "float32",
    "heads": "predicted",
    "autocast": False,
    "channels_last": False,
    "tf32": False,
    "compile": None,
    "cuda_graphs": False,
}
"""What a backend other than torch takes."""


CONDITIONS: Mapping[str, type[CallConditions]] = {
    "latency": Conditions,
    "memory": MemoryConditions,
    "throughput": Conditions,
}
"""Of each quantity that is measured of a network alone, what it is measured under."""
