"""Values from CSV files, found by architecture or by decisions."""

from __future__ import annotations

from pathlib import Path
from time import process_time

import pytest

from archdsl.errors import MeasureError
from archdsl.measuring.table import Table, TableEvaluator
from archdsl.records import Job, Measurement


def job(arch_id: str = "a", **params: object) -> Job:
    return Job(
        trial_id=0, number=0, arch_id=arch_id, spec={}, params=params, known=(), folder="unused"
    )


def written(folder: Path, text: str) -> Path:
    path = folder / "values.csv"
    path.write_text(text, encoding="utf-8")
    return path


def value(path: Path, candidate: Job, quantity: str = "latency") -> Measurement:
    evaluator = TableEvaluator(quantity=quantity, table=Table(path))
    return evaluator.measure(candidate, report=lambda epoch, value: None)


def test_a_row_by_architecture(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "arch_id,latency,latency_low,latency_high,top1,seconds\n"
        "a,1.5,1.4,1.7,70,120\nb,2.5,,,80,300\n",
    )
    latency = value(path, job("a"))
    assert (latency.quantity, latency.unit) == ("latency", "ms")
    assert (latency.low, latency.value, latency.high) == (1.4, 1.5, 1.7)
    assert latency.detail["virtual_seconds"] == 0
    top1 = value(path, job("b"), "top1")
    assert (top1.low, top1.value, top1.high, top1.unit) == (80, 80, 80, "%")
    assert top1.detail["virtual_seconds"] == 300
    without_ends = value(path, job("b"))
    assert (without_ends.low, without_ends.value, without_ends.high) == (2.5, 2.5, 2.5)


def test_a_row_by_decisions_whatever_their_type(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "depth,exchange.read.latent_ratio,fusion,shared,latency\n"
        "8,0.50,add,true,1\n8,0.25,add,True,2\n8,0.25,add_erase,false,3\n",
    )
    ratio = "exchange.read.latent_ratio"
    assert value(path, job(depth=8, fusion="add", shared=True, **{ratio: 0.5})).value == 1
    assert value(path, job(depth=8, fusion="add", shared=True, **{ratio: 0.25})).value == 2
    assert value(path, job(depth=8, fusion="add_erase", shared=False, **{ratio: 0.25})).value == 3


def test_a_hole_of_another_branch_is_an_empty_cell(tmp_path: Path) -> None:
    path = written(tmp_path, "embed,patch,tokens,latency\npatch,16,,1\nlearned,,16,2\n")
    assert value(path, job(embed="patch", patch=16)).value == 1
    assert value(path, job(embed="learned", tokens=16)).value == 2


def test_the_protocol_is_the_content_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "arch_id,latency\na,1\n")
    first = value(path, job())
    assert first.key == value(path, job()).key
    written(tmp_path, "arch_id,latency\na,2\n")
    assert first.key != value(path, job()).key


def test_a_large_table_answers_at_once(tmp_path: Path) -> None:
    rows = "".join(f"{i},{i % 7},{i / 10}\n" for i in range(15_000))
    table = Table(written(tmp_path, "depth,width,latency\n" + rows))
    evaluator = TableEvaluator(quantity="latency", table=table)
    started = process_time()
    for i in range(1000):
        evaluator.measure(job(depth=14_000 + i, width=(14_000 + i) % 7), report=lambda e, v: None)
    assert process_time() - started < 0.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column tells which candidate"),
        ("latency,top1\n1,2\n", "no column tells which candidate"),
        ("arch_id,latency\n", "no rows"),
        ("arch_id,latency\na,1,2\n", "values.csv:2: 3 cells, but 2 columns"),
        ("arch_id,latency\nb,1\nb,2\n", "values.csv:3: the candidate of line 2 once more"),
        ("arch_id,latency,latency\na,1,2\n", "two columns have the same name"),
        ("arch_id,top1\na,1\n", "no column 'latency'; columns are: arch_id, top1"),
        ("arch_id,latency\nb,1\n", "no row for arch_id a"),
        ("arch_id,latency\na,fast\n", "values.csv:2: latency is 'fast', not a finite number"),
        ("arch_id,latency\na,nan\n", "latency is 'nan', not a finite number"),
        ("arch_id,latency\na,\nb,1\n", "latency is '', not a finite number"),
        ("arch_id,latency\na,\n", "the column 'latency' is empty"),
        ("arch_id,latency,latency_low\na,1,x\n", "latency_low is 'x', not a finite number"),
        ("width,latency\n4,1\n", "no column for the hole depth; columns are: width, latency"),
        ("depth,latency\n4,1\n", "no row for depth = 8"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(MeasureError) as caught:
        value(written(tmp_path, text), job("a", depth=8))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("depth,latency,note\n1,1,a\n2,1,b\n", "no hole of the space is called 'note', so that"),
        ("depth,latency,params,note\n1,1,9,\n2,1,,b\n", "'params', 'note', so that no candidate"),
        (",depth,latency\n0,1,1\n1,2,1\n", "no hole of the space is called '', so that"),
        ("Depth,latency\n1,1\n", "called 'Depth', so that"),
        ("depth,width,latency\n1,2,1\n", "columns may be its holes (depth, patch) and quantities"),
    ],
)
def test_a_table_of_another_space_is_refused(tmp_path: Path, text: str, message: str) -> None:
    table = Table(written(tmp_path, text))
    with pytest.raises(MeasureError) as caught:
        table.check(["depth", "patch"])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("arch_id,latency,note\na,1,x\n", []),
        ("depth,latency,note\n1,1,\n2,1,\n", []),
        ("depth,latency,note\n1,1,\n2,1,x\n", ["no candidate has 1 of the 2 rows"]),
        ("width,latency\n,1\n", ["no column for depth, so that"]),
    ],
)
def test_of_a_table_that_is_partly_of_a_space_the_rest_is_told(
    tmp_path: Path, text: str, told: list[str]
) -> None:
    said = Table(written(tmp_path, text)).check(["depth"])
    assert all(words in sentence for words, sentence in zip(told, said, strict=True))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(MeasureError, match=r"cannot read the table .*missing\.csv"):
        Table(tmp_path / "missing.csv")
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(MeasureError, match="cannot read the table"):
        Table(binary)


def test_rows_of_one_candidate_are_told_apart_by_their_repeat(tmp_path: Path) -> None:
    path = written(tmp_path, "arch_id,repeat,latency\na,,1\na,1,2\nb,0,3\n")
    table = Table(path)
    first, second = (TableEvaluator(quantity="latency", table=table, repeat=n) for n in (0, 1))
    assert first.measure(job("a"), report=print).value == 1
    assert second.measure(job("a"), report=print).value == 2
    assert first.measure(job("b"), report=print).value == 3
    assert second.protocol() == {**first.protocol(), "repeat": 1}
    with pytest.raises(MeasureError, match="no row for arch_id b, repeat = 1"):
        second.measure(job("b"), report=print)


def test_repeats_need_a_column(tmp_path: Path) -> None:
    table = Table(written(tmp_path, "arch_id,latency\na,1\n"))
    with pytest.raises(MeasureError, match="a column 'repeat'"):
        TableEvaluator(quantity="latency", table=table, repeat=1)
