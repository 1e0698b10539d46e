"""Every figure of the paper that has a document comes out with the printed digits."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from archdsl.document.shelves import names
from archdsl.errors import NameNotFoundError
from archdsl.plan.read import read_model
from archdsl.records import Measurement
from archdsl.reporting.formatting import format_place
from archdsl.reproduction.published import ROWS, TABLE_4, Document
from archdsl.reproduction.reproduce import Figure, reproduce, rows_of
from archdsl.store.rows import Architecture
from archdsl.store.store import open_store

COUNTED = ("params_m", "gflops")


@pytest.fixture(scope="module")
def figures() -> list[Figure]:
    return reproduce(ROWS)


def of(figures: list[Figure], table: int, row: str, quantity: str) -> Figure:
    [found] = [
        f for f in figures if (f.row.table, f.row.label, f.quantity) == (table, row, quantity)
    ]
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
    specs = {row.document.spec for row in ROWS}
    assert specs <= set(names("specs"))


@pytest.mark.slow
@pytest.mark.slow
def test_every_counted_figure_is_reproduced(figures: list[Figure]) -> None:
    counted = [figure for figure in figures if figure.quantity in COUNTED]
    assert [(f.row.label, f.computed) for f in counted if f.verdict != "reproduced"] == []
    assert Counter(f.row.table for f in counted) == {1: 4, 2: 3, 3: 11, 4: 8, 5: 26}


# To more digits than are printed: in G of the row's convention and in M.
EXACT = {
    "CrossViT-B": (21.2204, 105.03), "CrossViT-18": (9.0533, 43.27),
    "CrossViT-18†": (9.4954, 44.27), "Rev-ViT-B": (17.4890, 85.81),
    "LookupViT 3×3": (5.2618, 89.72), "LookupViT 5×5": (6.9388, 89.73),
    "LookupViT 7×7": (9.4544, 89.75), "LookupViT 10×10": (14.7998, 89.79),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.parametrize("row", EXACT)
def test_models_that_vittm_is_compared_with(figures: list[Figure], row: str) -> None:
    gflops, params_m = (of(figures, 5, row, quantity) for quantity in ("gflops", "params_m"))
    assert gflops.computed == pytest.approx(EXACT[row][0], abs=5e-5)
    assert params_m.computed == pytest.approx(EXACT[row][1], abs=5e-3)


def test_a_rev_vit_of_a_thousand_classes_prints_otherwise() -> None:
    [row] = [row for row in rows_of("5") if row.label == "Rev-ViT-B"]
    document = Document(spec="rev-vit-b", set=("output.num_classes=1000",))
    params_m, gflops, *_ = reproduce([replace(row, document=document)])
    assert params_m.verdict == "differs"
    assert params_m.computed == pytest.approx(87.34, abs=5e-3)
    assert gflops.computed == pytest.approx(17.4905, abs=5e-5)


def test_measurements_of_a_store_stand_beside_published_ones(tmp_path: Path) -> None:
    [row] = [row for row in rows_of("2") if row.label == "c = d/2"]
    model = read_model(row.document.spec, row.document.set)
    protocol = {"batch": 8, "dtype": "float32", "fingerprint": {"name": "Some Device"}}
    latency = Measurement(
        quantity="latency", value=900.0, low=890.0, high=915.0, unit="ms", protocol=protocol
    )
    with open_store(f"sqlite:///{tmp_path / 'archdsl.db'}") as store:
        store.measurements.add(
            Architecture(arch_id=model.plan.arch_id, spec=model.spec.document()), [latency]
        )
        by_quantity = {figure.quantity: figure for figure in reproduce([row], store)}
    [found] = by_quantity["latency_ms"].measured
    assert (found.value, found.low, found.high, found.unit) == (900.0, 890.0, 915.0, "ms")
    assert format_place(found) == "Some Device, batch 8, float32"
    assert by_quantity["latency_ms"].computed is None
    assert by_quantity["top1"].measured == by_quantity["gflops"].measured == ()


@pytest.mark.slow
def test_what_nobody_counted_has_no_figure_of_ours(figures: list[Figure]) -> None:
    for figure in figures:
        if figure.quantity not in COUNTED:
            assert figure.verdict == "published only"
        if figure.verdict == "published only":
            assert figure.computed is None
            assert figure.macs is None


@pytest.mark.slow
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
    settings = tuple(setting.replace("add_erase", "add") for setting in row.document.set)
    [added] = reproduce([replace(row, document=Document(spec=row.document.spec, set=settings))])
    assert (added.verdict, f"{added.computed:.4f}") == ("differs", "1.8550")


@pytest.mark.slow
def test_table_4_is_about_two_models() -> None:
    for row in TABLE_4:
        assert row.params_document
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


@pytest.mark.slow
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
