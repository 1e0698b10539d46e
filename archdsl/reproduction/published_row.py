"""What a row of a published table is: its figures, and the model they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from archdsl.document.shelves import packaged
from archdsl.plan.plan import Plan
from archdsl.plan.read import read_model

Quantity = Literal["params_m", "gflops", "latency_ms", "top1"]
QUANTITIES: tuple[Quantity, ...] = ("params_m", "gflops", "latency_ms", "top1")

CONVENTIONS: Mapping[Quantity, str] = {
    "params_m": "allocated",
    "gflops": "fvcore",
    "latency_ms": "A100 80 GB, batch 256",
    "top1": "ImageNet-1K, %",
}
"""What a printed figure counts, unless its row says otherwise.

allocated: parameters the model holds, used or not, in millions. fvcore: billions of multiply-adds,
the products inside fused attention counting nothing. full: the same with those products.
"""


@dataclass(frozen=True, kw_only=True)
class Document:
    """A document of the packaged shelf and what is laid over it.

    Args:
        spec: name of the document.
        set: `path=value` settings, in order.
    """

    spec: str
    set: tuple[str, ...] = ()

    def plan(self) -> Plan:
        """What it says, read anew."""
        # By path: a document of the same name in the current folder is not the paper's.
        return read_model(str(packaged("specs") / f"{self.spec}.yaml"), self.set).plan


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a table.

    Args:
        table: its number in the paper.
        label: the row, in the paper's words.
        published: figures with the digits that are printed.
        document: the model of the row.
        params_document: the model that the row's parameters belong to, where it is another one.
        gflops: convention of the printed GFLOPs.
        notes: what one should know about a figure, by quantity.
    """

    table: int
    label: str
    published: Mapping[Quantity, str]
    document: Document
    params_document: Document | None = None
    gflops: Literal["fvcore", "full"] = "fvcore"
    notes: Mapping[Quantity, str] = field(default_factory=dict)

    def document_of(self, quantity: Quantity) -> Document:
        """The model that a figure of this row belongs to."""
        if quantity == "params_m" and self.params_document is not None:
            return self.params_document
        return self.document

    def convention_of(self, quantity: Quantity) -> str:
        """What a figure of this row counts."""
        return self.gflops if quantity == "gflops" else CONVENTIONS[quantity]
