"""Figures that the paper prints in its Tables 1 to 5, and the document that stands for each.

Source: "Vision Token Turing Machines" (arXiv 2409.07613), every row as printed. ViTTM's rows of
Table 5 are labelled with patch sizes; Table 3 with numbers of tokens.
"""

from __future__ import annotations

from collections.abc import Mapping

from archdsl.reproduction.published_row import Document, Quantity, Row


def _figures(
    gflops: str, latency_ms: str, top1: str, *, params_m: str | None = None
) -> dict[Quantity, str]:
    costs: dict[Quantity, str] = {"gflops": gflops, "latency_ms": latency_ms, "top1": top1}
    return costs if params_m is None else {"params_m": params_m, **costs}


def _latent(ratio: str) -> tuple[str, ...]:
    return (f"exchange.read.latent_ratio={ratio}", f"exchange.write.latent_ratio={ratio}")


_FULL_WIDTH = {"linear_attention": _latent("1"), "latent_attention": _latent("1")}


def _heads(head: str, fusion: str) -> Document:
    """ViTTM-S with 49 process and 196 memory tokens, and other heads."""
    node = f"{{type: {head}, fusion: {fusion}}}"
    return Document(
        spec="vittm-s-32-16",
        set=(f"exchange.read={node}", f"exchange.write={node}", *_FULL_WIDTH.get(head, ())),
    )


_HEADS = {
    "TokenSummary": "token_summary",
    "Cross": "cross_attention",
    "Latent": "latent_attention",
    "Linear": "linear_attention",
}
_FUSIONS = {"Erase": "erase", "Add": "add", "Add-Erase": "add_erase"}
_TABLE_1_GFLOPS = {
    "TokenSummary": ("1.86", "add_erase"),
    "Cross": ("2.92", "add"),
    "Latent": ("3.07", "add"),
    "Linear": ("2.62", "add"),
}
_TABLE_1_TOP1 = {
    "Erase": ("72.49", "3.94", "0.33", "2.43"),
    "Add": ("75.86", "76.26", "76.17", "76.26"),
    "Add-Erase": ("76.26", "76.33", "75.82", "74.74"),
}
_SDPA = (
    "the products of softmax attention count nothing here; "
    "with them Cross costs more than Latent, not less"
)
_TABLE_1_NOTES = {
    "TokenSummary": (
        "the caption says Add fusion, which is 1.8550 G and prints as 1.85; "
        "only Add-Erase prints as 1.86, and the other three heads fit either"
    ),
    "Cross": _SDPA,
    "Latent": _SDPA,
}

TABLE_1 = (
    *(
        Row(
            table=1,
            label=head,
            published={"gflops": printed},
            document=_heads(_HEADS[head], fusion),
            notes={"gflops": _TABLE_1_NOTES[head]} if head in _TABLE_1_NOTES else {},
        )
        for head, (printed, fusion) in _TABLE_1_GFLOPS.items()
    ),
    *(
        Row(
            table=1,
            label=f"{head}, {fusion}",
            published={"top1": printed},
            document=_heads(_HEADS[head], _FUSIONS[fusion]),
        )
        for fusion, accuracies in _TABLE_1_TOP1.items()
        for head, printed in zip(_HEADS, accuracies, strict=True)
    ),
)

_MEMORY_TOP1 = "of the memory stream's classifier"
_SAME_MODEL = "one model is printed with 352.2 (Table 2), 357.7 (Table 3) and 358.2 ms (Table 4)"
_SAME_SMALL = "the same model is printed with 250.7 (Table 2) and 251.5 ms (Table 5)"


def _table_2(label: str, ratio: str, figures: dict[Quantity, str], latency_note: str = "") -> Row:
    notes: dict[Quantity, str] = {"top1": _MEMORY_TOP1}
    if latency_note:
        notes["latency_ms"] = latency_note
    document = Document(spec="vittm-b-32-16", set=_latent(ratio))
    return Row(table=2, label=label, published=figures, document=document, notes=notes)


TABLE_2 = (
    _table_2("c = d/4", "0.25", _figures("7.10", "250.7", "78.4"), _SAME_SMALL),
    _table_2("c = d/2", "0.5", _figures("8.04", "288.9", "78.0")),
    _table_2("c = d", "1", _figures("9.92", "352.2", "78.3"), _SAME_MODEL),
)

_PATCH_OF_TOKENS = {16: 56, 49: 32, 64: 28, 196: 16, 256: 14}
_TABLE_3_PAIRS = {
    (16, 64): _figures("3.39", "125.0", "70.4"),
    (16, 196): _figures("6.37", "248.0", "70.9"),
    (16, 256): _figures("7.72", "298.9", "71.2"),
    (49, 64): _figures("6.94", "233.9", "79.4"),
    (49, 196): _figures("9.92", "357.7", "79.3"),
    (49, 256): _figures("11.27", "408.7", "79.8"),
    (64, 64): _figures("8.56", "285.3", "80.6"),
    (64, 196): _figures("11.53", "409.0", "80.4"),
    (64, 256): _figures("12.88", "460.0", "80.9"),
}
_CLS: Mapping[Quantity, str] = {"gflops": "one class token more than the row's number"}
_SAME_VIT = "the same model is printed with 527.4 (Table 3) and 529.5 ms (Table 5)"


def _tokens(process: int, memory: int) -> Document:
    """ViTTM-B with c = d and these numbers of tokens."""
    patches = (
        f"process.embed.patch_size={_PATCH_OF_TOKENS[process]}",
        f"memory.embed.patch_size={_PATCH_OF_TOKENS[memory]}",
    )
    return Document(spec="vittm-b-32-16", set=(*patches, *_latent("1")))


TABLE_3 = (
    Row(
        table=3,
        label="49, no memory",
        published=_figures("4.37", "138.3", "72.2"),
        document=Document(spec="vit-b-32"),
        notes=_CLS,
    ),
    Row(
        table=3,
        label="196, no memory",
        published=_figures("16.87", "527.4", "81.0"),
        document=Document(spec="vit-b-16"),
        notes={**_CLS, "latency_ms": _SAME_VIT},
    ),
    *(
        Row(
            table=3,
            label=f"{process}, {memory}",
            published=figures,
            document=_tokens(process, memory),
            notes={"latency_ms": _SAME_MODEL} if (process, memory) == (49, 196) else {},
        )
        for (process, memory), figures in _TABLE_3_PAIRS.items()
    ),
)

_OF_S: Mapping[Quantity, str] = {
    "params_m": "parameters of ViTTM-S; the ViTTM-B of the caption holds 146.6 M and more",
    "gflops": "multiply-adds of ViTTM-B, in a row whose parameters are those of ViTTM-S",
}


def _table_4(
    label: str, block: str | None, figures: dict[Quantity, str], latency_note: str = ""
) -> Row:
    settings = (*_latent("1"), *(() if block is None else (f"memory.block={block}",)))
    notes = {**_OF_S, "latency_ms": latency_note} if latency_note else _OF_S
    return Row(
        table=4,
        label=label,
        published=figures,
        document=Document(spec="vittm-b-32-16", set=settings),
        params_document=Document(spec="vittm-s-32-16", set=settings),
        notes=notes,
    )


def _mlp(ratio: str) -> str:
    return f"{{type: mlp, mlp_ratio: {ratio}}}"


TABLE_4 = (
    _table_4("None", None, _figures("9.92", "358.2", "78.2", params_m="37.9"), _SAME_MODEL),
    _table_4("MLP, r = 0.5", _mlp("0.5"), _figures("11.31", "403.6", "78.3", params_m="39.7")),
    _table_4("MLP, r = 1.0", _mlp("1"), _figures("12.70", "444.9", "78.3", params_m="41.5")),
    _table_4("MLP, r = 2.0", _mlp("2"), _figures("15.47", "525.1", "78.2", params_m="45.0")),
)

_COUNTED_FULL = "this row counts the products of attention; the ViT and ViTTM rows do not"
_TEN_CLASSES = "86 fits a classifier of 10 classes; one of 1000 would make it 87"
_TWICE = (
    "the measured model probably projected its values twice, which its GFLOPs do not show; "
    "14 to 28 % less is likely without"
)
_PATCHES = "the label gives patch sizes; elsewhere the paper's pairs are numbers of tokens"


_BESIDE: Mapping[Quantity, str] = {"gflops": _COUNTED_FULL}
_OF_VITTM: Mapping[Quantity, str] = {
    "params_m": "includes tensors that are allocated and never used",
    "gflops": _PATCHES,
    "top1": "the paper does not say of which of the two classifiers",
}

# Row, document, parameters in millions, GFLOPs, ms, top1.
_TABLE_5 = """
ViT-B/32         vit-b-32            88   4.37   138.3  72.2
ViT-B/16         vit-b-16            87   16.87  529.5  81.0
DeiT-B/16        deit-b-16           87   16.87  529.7  81.8
CrossViT-B       crossvit-b          105  21.22  728.1  82.2
CrossViT-18      crossvit-18         43   9.05   374.1  82.5
CrossViT-18†     crossvit-18-dagger  44   9.50   378.2  82.8
Rev-ViT-B        rev-vit-b           86   17.49  556.5  81.8
LookupViT 3×3    lookupvit-b-3       90   5.26   230.5  77.9
LookupViT 5×5    lookupvit-b-5       90   6.94   297.2  81.6
LookupViT 7×7    lookupvit-b-7       90   9.45   379.5  83.0
LookupViT 10×10  lookupvit-b-10      90   14.80  563.4  83.9
ViTTM-B(28,28)   vittm-b-28-28       127  7.08   234.1  82.9
ViTTM-B(32,16)   vittm-b-32-16       125  7.10   251.5  80.9
"""
_COUNTED_IN_FULL = ("CrossViT", "Rev-ViT")
"""Rows whose GFLOPs hold the products of attention, by how they begin."""
_TABLE_5_NOTES: Mapping[str, Mapping[Quantity, str]] = {
    "ViT-B/16": {"latency_ms": _SAME_VIT},
    "CrossViT-B": _BESIDE,
    "CrossViT-18": _BESIDE,
    "CrossViT-18†": _BESIDE,
    "Rev-ViT-B": {"params_m": _TEN_CLASSES, **_BESIDE},
    "LookupViT 3×3": {
        "latency_ms": _TWICE,
        "top1": "the text has ViTTM-B(28,28) 5.5 % above it; by this table that is 5.0",
    },
    "LookupViT 5×5": {"latency_ms": _TWICE},
    "LookupViT 7×7": {"latency_ms": f"{_TWICE}; the text's 145.1 ms less is 145.4 by this table"},
    "LookupViT 10×10": {"latency_ms": _TWICE},
    "ViTTM-B(28,28)": _OF_VITTM,
    "ViTTM-B(32,16)": {**_OF_VITTM, "latency_ms": _SAME_SMALL},
}


def _table_5(line: str) -> Row:
    label, spec, params_m, gflops, latency_ms, top1 = line.rsplit(maxsplit=5)
    return Row(
        table=5,
        label=label,
        published=_figures(gflops, latency_ms, top1, params_m=params_m),
        document=Document(spec=spec),
        gflops="full" if label.startswith(_COUNTED_IN_FULL) else "fvcore",
        notes=_TABLE_5_NOTES.get(label, {}),
    )


TABLE_5 = tuple(map(_table_5, _TABLE_5.strip().splitlines()))

ROWS: tuple[Row, ...] = (*TABLE_1, *TABLE_2, *TABLE_3, *TABLE_4, *TABLE_5)

TITLES: Mapping[int, str] = {
    1: "Read-write heads and fusion, ViTTM-S(49,196 tokens)",
    2: "Latent width c of the heads, ViTTM-B(49,196 tokens)",
    3: "Numbers of process and memory tokens, ViTTM-B with c = d",
    4: "Blocks on the memory stream, ViTTM(49,196 tokens) with c = d",
    5: "ViTTM beside published models",
}
"""Tables by number, in this package's words."""
