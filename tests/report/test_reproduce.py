"""Every figure of the paper that has a document comes out with the printed digits."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from archdsl.document.shelves import names
from archdsl.errors import NameNotFoundError
from archdsl.report.published import ROWS, TABLE_4
from archdsl.report.published_row import Document
from archdsl.report.reproduce import Figure, reproduce, rows_of

COUNTED = ("params_m", "gflops")
NO_DOCUMENT = (
    "CrossViT-B", "CrossViT-18", "CrossViT-18†", "Rev-ViT-B",
    "LookupViT 3×3", "LookupViT 5×5", "LookupViT 7×7", "LookupViT 10×10",
)  # fmt: skip


@pytest.fixture(scope="module")
def figures() -> list[Figure]:
    return reproduce(ROWS)


def of(figures: list[Figure], table: int, row: str, quantity: str) -> Figure:
    [found] = [f for f in figures if (f.table, f.row, f.quantity) == (table, row, quantity)]
    return found


def test_every_row_of_the_tables_is_there() -> None:
    counted = Counter((row.table, quantity) for row in ROWS for quantity in row.published)
    assert counted == {
        (1, "gflops"): 4, (1, "top1"): 12,
        **{(2, quantity): 3 for quantity in ("gflops", "latency_ms", "top1")},
        **{(3, quantity): 11 for quantity in ("gflops", "latency_ms", "top1")},
        **{(4, quantity): 4 for quantity in ("params_m", "gflops", "latency_ms", "top1")},
        **{(5, quantity): 13 for quantity in ("params_m", "gflops", "latency_ms", "top1")},
    }  # fmt: skip
    assert len({(row.table, row.label) for row in ROWS}) == len(ROWS)
    specs = {row.document.spec for row in ROWS if row.document}
    assert specs <= set(names("specs"))


def test_every_counted_figure_with_a_document_is_reproduced(figures: list[Figure]) -> None:
    counted = [figure for figure in figures if figure.quantity in COUNTED]
    assert {f.row for f in counted if f.verdict == "no document yet"} == set(NO_DOCUMENT)
    rest = [figure for figure in counted if figure.row not in NO_DOCUMENT]
    assert [(f.table, f.row, f.computed) for f in rest if f.verdict != "reproduced"] == []
    assert Counter(f.table for f in rest) == {1: 4, 2: 3, 3: 11, 4: 8, 5: 10}


def test_what_nobody_counted_has_no_figure_of_ours(figures: list[Figure]) -> None:
    for figure in figures:
        if figure.quantity not in COUNTED:
            assert figure.verdict == "published only"
        if figure.verdict in ("published only", "no document yet"):
            assert figure.computed is None
            assert figure.macs is None


def test_the_full_count_reverses_two_orders_of_the_paper(figures: list[Figure]) -> None:
    for table, cheaper, dearer in (
        (1, "Cross", "Latent"),
        (5, "ViTTM-B(28,28)", "ViTTM-B(32,16)"),
    ):
        first, second = (of(figures, table, row, "gflops") for row in (cheaper, dearer))
        assert first.computed and second.computed and first.macs and second.macs
        assert first.computed < second.computed
        assert first.macs > second.macs


def test_only_add_erase_prints_what_table_1_has_for_token_summary() -> None:
    [row] = [row for row in rows_of("1") if row.label == "TokenSummary"]
    assert row.document
    settings = tuple(setting.replace("add_erase", "add") for setting in row.document.set)
    [added] = reproduce([replace(row, document=Document(spec=row.document.spec, set=settings))])
    assert (added.verdict, f"{added.computed:.4f}") == ("differs", "1.8550")


def test_table_4_is_about_two_models() -> None:
    for row in TABLE_4:
        assert row.document and row.params_document
        assert row.document.set == row.params_document.set
        swapped = replace(row, document=row.params_document, params_document=row.document)
        verdicts = {figure.quantity: figure.verdict for figure in reproduce([swapped])}
        assert verdicts["params_m"] == verdicts["gflops"] == "differs"


@pytest.mark.parametrize(("convention", "printed"), [("fvcore", "4.37"), ("full", "4.41")])
def test_a_row_is_compared_in_its_own_convention(convention: str, printed: str) -> None:
    [row] = [row for row in rows_of("5") if row.label == "ViT-B/32"]
    changed = replace(row, published={"gflops": printed}, gflops=convention)  # type: ignore[arg-type]
    [figure] = reproduce([changed])
    assert (figure.verdict, figure.convention) == ("reproduced", convention)


def test_rounding_is_to_the_printed_digits() -> None:
    [row] = [row for row in rows_of("5") if row.label == "ViTTM-B(28,28)"]
    for printed, verdict in (
        ("127", "reproduced"),
        ("126.5", "reproduced"),
        ("126", "differs"),
        ("126.53", "differs"),
    ):
        [figure] = reproduce([replace(row, published={"params_m": printed})])
        assert figure.verdict == verdict


def test_an_unknown_table_is_refused() -> None:
    with pytest.raises(NameNotFoundError, match="table '6' is not one of: 1, 2, 3, 4, 5"):
        rows_of("6")
