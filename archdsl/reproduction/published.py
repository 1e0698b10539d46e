"""Figures that the paper prints in its Tables 1 to 5, and the document that stands for each.

Source: "Token Turing Machines are Efficient Vision Models" (arXiv 2409.07613), every row as
printed. ViTTM's rows of Table 5 are labelled with patch sizes; Table 3 with numbers of tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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


Notes = Mapping[Quantity, str]


def _rows(
    table: int,
    quantities: tuple[Quantity, ...],
    lines: str,
    document: Callable[[str], Document],
    *,
    notes: Notes | None = None,
    params: Callable[[str], Document] | None = None,
) -> tuple[Row, ...]:
    """The rows of a table, or a part of it.

    Args:
        table: its number.
        quantities: that each row prints.
        lines: each the row's label, what makes its document, and the figures.
        document: from what the lines say to the document.
        notes: of all rows; `_NOTES` has those of single rows.
        params: from what the lines say to the document that the parameters belong to.
    """
    rows = []
    for line in lines.strip().splitlines():
        label, words, figures = (part.strip() for part in line.split("|"))
        full = label.startswith(_COUNTED_IN_FULL)
        rows.append(
            Row(
                table=table,
                label=label,
                published=dict(zip(quantities, figures.split(), strict=True)),
                document=document(words),
                params_document=params(words) if params else None,
                gflops="full" if full else "fvcore",
                notes={
                    **(notes or {}),
                    **({"gflops": _COUNTED_FULL} if full else {}),
                    **_NOTES.get((table, label), {}),
                },
            )
        )
    return tuple(rows)


_COUNTED_IN_FULL = ("CrossViT", "Rev-ViT")
"""Rows whose GFLOPs hold the products of attention, by how they begin."""
_COUNTED_FULL = "this row counts the products of attention; the ViT and ViTTM rows do not"
_SDPA = (
    "the products of softmax attention count nothing here; "
    "with them Cross costs more than Latent, not less"
)
_SAME_MODEL = "one model is printed with 352.2 (Table 2), 357.7 (Table 3) and 358.2 ms (Table 4)"
_SAME_SMALL = "the same model is printed with 250.7 (Table 2) and 251.5 ms (Table 5)"
_SAME_VIT = "the same model is printed with 527.4 (Table 3) and 529.5 ms (Table 5)"
_CLS = "one class token more than the row's number"
_TWICE = (
    "the measured model probably projected its values twice, which its GFLOPs do not show; "
    "14 to 28 % less is likely without"
)
_OF_VITTM: Notes = {
    "params_m": "includes tensors that are allocated and never used",
    "gflops": "the label gives patch sizes; elsewhere the paper's pairs are numbers of tokens",
    "top1": "the paper does not say of which of the two classifiers",
}
_NOTES: Mapping[tuple[int, str], Notes] = {
    (1, "TokenSummary"): {
        "gflops": (
            "the caption says Add fusion, which is 1.8550 G and prints as 1.85; "
            "only Add-Erase prints as 1.86, and the other three heads fit either"
        )
    },
    (1, "Cross"): {"gflops": _SDPA},
    (1, "Latent"): {"gflops": _SDPA},
    (2, "c = d/4"): {"latency_ms": _SAME_SMALL},
    (2, "c = d"): {"latency_ms": _SAME_MODEL},
    (3, "49, no memory"): {"gflops": _CLS},
    (3, "196, no memory"): {"gflops": _CLS, "latency_ms": _SAME_VIT},
    (3, "49, 196"): {"latency_ms": _SAME_MODEL},
    (4, "None"): {"latency_ms": _SAME_MODEL},
    (5, "ViT-B/16"): {"latency_ms": _SAME_VIT},
    (5, "Rev-ViT-B"): {
        "params_m": "86 fits a classifier of 10 classes; one of 1000 would make it 87"
    },
    (5, "LookupViT 3×3"): {
        "latency_ms": _TWICE,
        "top1": "the text has ViTTM-B(28,28) 5.5 % above it; by this table that is 5.0",
    },
    (5, "LookupViT 5×5"): {"latency_ms": _TWICE},
    (5, "LookupViT 7×7"): {
        "latency_ms": f"{_TWICE}; the text's 145.1 ms less is 145.4 by this table"
    },
    (5, "LookupViT 10×10"): {"latency_ms": _TWICE},
    (5, "ViTTM-B(28,28)"): _OF_VITTM,
    (5, "ViTTM-B(32,16)"): {**_OF_VITTM, "latency_ms": _SAME_SMALL},
}


def _latent(ratio: str) -> tuple[str, ...]:
    return (f"exchange.read.latent_ratio={ratio}", f"exchange.write.latent_ratio={ratio}")


def _heads(words: str) -> Document:
    """ViTTM-S with 49 process and 196 memory tokens, and this head and fusion."""
    head, fusion = words.split()
    node = f"{{type: {head}, fusion: {fusion}}}"
    wide = _latent("1") if head in ("linear_attention", "latent_attention") else ()
    settings = (f"exchange.read={node}", f"exchange.write={node}", *wide)
    return Document(spec="vittm-s-32-16", set=settings)


TABLE_1 = (
    *_rows(
        1,
        ("gflops",),
        """
TokenSummary | token_summary add_erase | 1.86
Cross        | cross_attention add     | 2.92
Latent       | latent_attention add    | 3.07
Linear       | linear_attention add    | 2.62
""",
        _heads,
    ),
    *_rows(
        1,
        ("top1",),
        """
TokenSummary, Erase     | token_summary erase        | 72.49
Cross, Erase            | cross_attention erase      | 3.94
Latent, Erase           | latent_attention erase     | 0.33
Linear, Erase           | linear_attention erase     | 2.43
TokenSummary, Add       | token_summary add          | 75.86
Cross, Add              | cross_attention add        | 76.26
Latent, Add             | latent_attention add       | 76.17
Linear, Add             | linear_attention add       | 76.26
TokenSummary, Add-Erase | token_summary add_erase    | 76.26
Cross, Add-Erase        | cross_attention add_erase  | 76.33
Latent, Add-Erase       | latent_attention add_erase | 75.82
Linear, Add-Erase       | linear_attention add_erase | 74.74
""",
        _heads,
    ),
)

TABLE_2 = _rows(
    2,
    ("gflops", "latency_ms", "top1"),
    """
c = d/4 | 0.25 | 7.10 250.7 78.4
c = d/2 | 0.5  | 8.04 288.9 78.0
c = d   | 1    | 9.92 352.2 78.3
""",
    lambda ratio: Document(spec="vittm-b-32-16", set=_latent(ratio)),
    notes={"top1": "of the memory stream's classifier"},
)


def _patches(words: str) -> Document:
    """ViTTM-B with c = d and these patches of process and memory; a ViT by its name."""
    if words.startswith("vit-"):
        return Document(spec=words)
    process, memory = words.split()
    sizes = (f"process.embed.patch_size={process}", f"memory.embed.patch_size={memory}")
    return Document(spec="vittm-b-32-16", set=(*sizes, *_latent("1")))


TABLE_3 = _rows(
    3,
    ("gflops", "latency_ms", "top1"),
    """
49, no memory  | vit-b-32 | 4.37  138.3 72.2
196, no memory | vit-b-16 | 16.87 527.4 81.0
16, 64         | 56 28    | 3.39  125.0 70.4
16, 196        | 56 16    | 6.37  248.0 70.9
16, 256        | 56 14    | 7.72  298.9 71.2
49, 64         | 32 28    | 6.94  233.9 79.4
49, 196        | 32 16    | 9.92  357.7 79.3
49, 256        | 32 14    | 11.27 408.7 79.8
64, 64         | 28 28    | 8.56  285.3 80.6
64, 196        | 28 16    | 11.53 409.0 80.4
64, 256        | 28 14    | 12.88 460.0 80.9
""",
    _patches,
)


def _memory_block(spec: str, ratio: str) -> Document:
    block = (f"memory.block={{type: mlp, mlp_ratio: {ratio}}}",) if ratio else ()
    return Document(spec=spec, set=(*_latent("1"), *block))


TABLE_4 = _rows(
    4,
    ("params_m", "gflops", "latency_ms", "top1"),
    """
None         |     | 37.9 9.92  358.2 78.2
MLP, r = 0.5 | 0.5 | 39.7 11.31 403.6 78.3
MLP, r = 1.0 | 1   | 41.5 12.70 444.9 78.3
MLP, r = 2.0 | 2   | 45.0 15.47 525.1 78.2
""",
    lambda ratio: _memory_block("vittm-b-32-16", ratio),
    params=lambda ratio: _memory_block("vittm-s-32-16", ratio),
    notes={
        "params_m": "parameters of ViTTM-S; the ViTTM-B of the caption holds 146.6 M and more",
        "gflops": "multiply-adds of ViTTM-B, in a row whose parameters are those of ViTTM-S",
    },
)

TABLE_5 = _rows(
    5,
    ("params_m", "gflops", "latency_ms", "top1"),
    """
ViT-B/32        | vit-b-32           | 88  4.37  138.3 72.2
ViT-B/16        | vit-b-16           | 87  16.87 529.5 81.0
DeiT-B/16       | deit-b-16          | 87  16.87 529.7 81.8
CrossViT-B      | crossvit-b         | 105 21.22 728.1 82.2
CrossViT-18     | crossvit-18        | 43  9.05  374.1 82.5
CrossViT-18†    | crossvit-18-dagger | 44  9.50  378.2 82.8
Rev-ViT-B       | rev-vit-b          | 86  17.49 556.5 81.8
LookupViT 3×3   | lookupvit-b-3      | 90  5.26  230.5 77.9
LookupViT 5×5   | lookupvit-b-5      | 90  6.94  297.2 81.6
LookupViT 7×7   | lookupvit-b-7      | 90  9.45  379.5 83.0
LookupViT 10×10 | lookupvit-b-10     | 90  14.80 563.4 83.9
ViTTM-B(28,28)  | vittm-b-28-28      | 127 7.08  234.1 82.9
ViTTM-B(32,16)  | vittm-b-32-16      | 125 7.10  251.5 80.9
""",
    lambda spec: Document(spec=spec),
)

ROWS: tuple[Row, ...] = (*TABLE_1, *TABLE_2, *TABLE_3, *TABLE_4, *TABLE_5)

TITLES: Mapping[int, str] = {
    1: "Read-write heads and fusion, ViTTM-S(49,196 tokens)",
    2: "Latent width c of the heads, ViTTM-B(49,196 tokens)",
    3: "Numbers of process and memory tokens, ViTTM-B with c = d",
    4: "Blocks on the memory stream, ViTTM(49,196 tokens) with c = d",
    5: "ViTTM beside published models",
}
"""Tables by number, in this package's words."""
