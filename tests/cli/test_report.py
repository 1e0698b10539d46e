"""`report` and `front --plot`: files that need nothing but themselves, small and soon written."""

from __future__ import annotations

import base64
import io
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import chdir, closing
from itertools import product
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

import archdsl
from archdsl.training.data.source import open_data
from tests.cli.conftest import unpack_trained_study

Run = Callable[..., Any]

MOST_SECONDS, MOST_BYTES = 5.0, 3_000_000


def test_a_report_is_written_and_replaced(run: Run, searched: Any, folder: Path) -> None:
    assert "report.html" in run("report").out
    page = (folder / "report.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert "Search tabular" in page
    assert "In brackets: the 95 % interval" in page
    said = run("report", "--study", "tabular", "-o", "report.html", "--json").json()
    assert said == {"study": "tabular", "file": "report.html", "bytes": len(page.encode())}


def test_other_files_are_kept(run: Run, searched: Any, folder: Path) -> None:
    for words in (["report", "-o", "mine.html"], ["front", "--plot", "mine.html"]):
        (folder / "mine.html").write_text("<p>mine</p>")
        done = run(*words, code=2)
        assert "mine.html exists and holds something else" in done.err
        assert (folder / "mine.html").read_text() == "<p>mine</p>"
        run(*words, "--force")
        run(*words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["report", "--study", "tabulr"], "did you mean 'tabular'"),
        (["report", "-o", "no/such/folder.html"], "no/such/folder.html"),
        (["report", "--db", "gone.db"], "gone.db"),
        (["front", "--plot", "front.pdf"], "ends in .html or .png or .svg"),
        (["front", "--published"], "--published has an effect only with --plot"),
    ],
)
def test_mistakes_are_said(run: Run, searched: Any, words: list[str], message: str) -> None:
    assert message in " ".join(run(*words, code=2).err.split())


def test_a_front_is_drawn_in_every_kind(run: Run, searched: Any, folder: Path) -> None:
    files = ["f.html", "f.png", "f.svg"]
    words = [word for name in files for word in ("--plot", name)]
    assert run("front", "--json", "--published", *words).json()["plots"] == files
    with Image.open(folder / "f.png") as image:
        assert image.width > 1000
    ElementTree.parse(folder / "f.svg")
    page = (folder / "f.html").read_text()
    assert "Published, not measured here: A100 80 GB" in page
    assert "(published, not measured here); latency (ms per batch of 256): " in page
    run("front", "--plot", "f.html")
    assert "A100" not in (folder / "f.html").read_text()


def test_what_cannot_be_drawn_is_said(run: Run, tabular: Path, folder: Path) -> None:
    run("search", "study.yaml", "--objective", "latency", "--trials", "3", "--db", "one.db")
    done = run("front", "--db", "one.db", "--plot", "f.png", code=2)
    assert "needs two objectives" in done.err
    run("report", "--db", "one.db")
    assert "The best value over time" in (folder / "report.html").read_text()


def test_members_show_their_surest_mistakes(run: Run, folder: Path) -> None:
    unpack_trained_study(folder)
    run("report")
    plain = (folder / "report.html").read_text()
    front = archdsl.front("archdsl.db")
    said = run("report", "--mistakes", "--json").json()
    page = (folder / "report.html").read_text()
    validation = open_data("digits").validation
    pixels, labels = validation.images.numpy(), validation.labels.numpy()  # type: ignore[attr-defined]
    cards = page.split('<details class="member"')[1:]
    assert len(cards) == len(front) == len(said["mistakes"])
    for card, row, told in zip(cards, front, said["mistakes"], strict=True):
        [correct] = row._measured["top1"].detail["correct"]
        wrong = 359 - correct
        assert told == {
            "trial": row.trial,
            "scored_on": "digits (validation)",
            "seed": 0,
            "images": 359,
            "wrong": wrong,
            "pictures": 8,
        }
        assert f"<summary>{wrong} of 359 images taken for another class</summary>" in card
        first, *others = card.split('<img src="data:image/png;base64,')[1:]
        assert len(others) == 7
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(first.split('"')[0]))))
        [place] = (pixels[:, 0] == shown).all(axis=(1, 2)).nonzero()[0]
        assert f"is <b>{labels[place]}</b>" in first
    without = re.sub(r"<details><summary>\d+ of 359 .*?</details>\n", "", page, flags=re.DOTALL)
    assert without == plain
    run("report", "--mistakes")
    assert (folder / "report.html").read_text() == page


def test_members_without_weights_are_told(run: Run, folder: Path) -> None:
    unpack_trained_study(folder)
    gone, kept = (row for row in archdsl.front("archdsl.db"))
    shutil.rmtree(next((folder / "archdsl-files").glob(f"{gone.arch_id}-*")))
    done = run("report", "--mistakes")
    assert f"no mistakes of trial {gone.trial}: {folder}/archdsl-files/{gone.arch_id}" in done.err
    assert f"mistakes  trial {kept.trial}: " in done.out
    line = f"No mistakes are shown of trial {gone.trial}: there are no weights to ask."
    assert line in (folder / "report.html").read_text()


def test_a_study_of_tables_has_no_mistakes(run: Run, searched: Any, folder: Path) -> None:
    said = run("report", "--mistakes", "--json").json()["mistakes"]
    assert {each["none"] for each in said} == {"no value of it comes from a training"}
    assert "No mistakes are shown of trials " in (folder / "report.html").read_text()
    assert "only with --mistakes" in run("report", "--runner", "local", code=2).err


def test_mistakes_are_of_the_data_that_were_trained_on(run: Run, folder: Path) -> None:
    unpack_trained_study(folder)
    update = "UPDATE measurements SET protocol = replace(protocol, '1a6ba7f4ffe1d9e7', 'other')"
    with closing(sqlite3.connect("archdsl.db")) as database, database:
        database.execute(update)
    done = run("report", "--mistakes", code=2)
    assert "digits holds other images, labels or parts than when 'small' was searched" in done.err
    assert not (folder / "report.html").exists()


@pytest.fixture(scope="module")
def wide(server: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with its table, searched: 1,440 architectures, some of them without values."""
    folder = tmp_path_factory.mktemp("wide")
    depths, dims, ratios = range(1, 11), range(16, 145, 16), (0.25, 0.5)
    holes = {
        "depth": "{range: [1, 10]}",
        "process.dim": "{range: [16, 144], step: 16}",
        "process.block.mlp_ratio": "{choose: [1, 2]}",
        "exchange.norm.placement": "{choose: [replace, pre]}",
        "exchange.read.latent_ratio": "{choose: [0.25, 0.5]}",
        "exchange.write.latent_ratio": "{choose: [0.25, 0.5]}",
    }
    rows = [",".join([*holes, "latency,latency_low,latency_high,top1,top1_low,top1_high"])]
    rows.append(",,,,,,5,4.95,5.05,90,89,91")
    for place, turn in enumerate(product(depths, dims, (1, 2), ("replace", "pre"), ratios, ratios)):
        depth, dim, ratio, *_ = turn
        latency = 0.1 + depth * (dim / 64) ** 1.5 * (1 + ratio) * (1 + place * 7919 % 97 / 1000)
        top1 = 97 - 20 / (1 + latency) + place * 104729 % 89 / 60
        ends = f"{latency},{latency * 0.99},{latency * 1.01},{top1},{top1 - 0.8},{top1 + 0.8}"
        if place * 31 % 40:
            rows.append(",".join([*map(str, turn), ends]))
    (folder / "values.csv").write_text("\n".join(rows) + "\n")
    (folder / "study.yaml").write_text(
        "archdsl: 1\nkind: study\nname: wide\nbase: vittm-digits\nspace:\n"
        + nested(holes)
        + "constraints: [latency <= 20ms]\n"
        "objectives: {latency: minimize, top1: maximize}\n"
        "evaluate: {latency: {table: values.csv}, top1: {table: values.csv}}\n"
        "budget: {trials: 200}\nsampler: {type: random, seed: 0}\n"
    )
    with chdir(folder):
        done = server.run("search", "study.yaml", "--db", "wide.db")
    assert done.code == 0, done.err
    return folder


def nested(holes: dict[str, str]) -> str:
    """`process: {dim: …, block: …}` of `process.dim` and the others, as YAML in one style."""
    tree: dict[str, Any] = {}
    for path, hole in holes.items():
        *above, last = path.split(".")
        place = tree
        for word in above:
            place = place.setdefault(word, {})
        place[last] = hole

    def written(part: Any) -> str:
        if isinstance(part, str):
            return part
        return "{" + ", ".join(f"{word}: {written(under)}" for word, under in part.items()) + "}"

    return "".join(f"  {word}: {written(under)}\n" for word, under in tree.items())


COPIES = """
INSERT INTO architectures (arch_id, spec, plan, facts)
    SELECT arch_id || :tag, spec, plan, facts FROM architectures
  WHERE arch_id IN (SELECT arch_id FROM trials WHERE number < :count);
INSERT INTO measurements SELECT id + :shift, arch_id || :tag, quantity, key, value, low, high, unit,
  protocol, detail, created FROM measurements WHERE id < :shift0;
INSERT INTO trials SELECT id + :shift, study_id, number + :count * :turn, arch_id || :tag, state,
  params, distributions, sampler_attrs, attempt, counted, violation, reason, seconds,
  finish_order + :count * :turn, started, finished, ended_under FROM trials WHERE number < :count;
INSERT INTO trial_values SELECT trial_id + :shift, objective, study_id, position,
  measurement_id + :shift, value * :worse, low * :worse, high * :worse, loss * :worse,
  loss_low * :worse, loss_high * :worse FROM trial_values
  WHERE trial_id < :shift0 AND objective = 'latency';
INSERT INTO trial_values SELECT trial_id + :shift, objective, study_id, position,
  measurement_id + :shift, value, low, high, loss, loss_low, loss_high FROM trial_values
  WHERE trial_id < :shift0 AND objective = 'top1';
"""
"""The first `count` trials once more under other numbers and identities, slower each time."""


def multiply(path: Path, *, count: int, times: int) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        for turn in range(1, times):
            words = {
                "tag": f"{turn:02d}", "shift": 100_000 * turn, "shift0": 100_000, "count": count,
                "turn": turn, "worse": 1 + 0.002 * turn,
            }  # fmt: skip
            for statement in COPIES.split(";")[:-1]:
                database.execute(statement, words)


@pytest.mark.parametrize("times", [5, 25])
def test_large_studies_are_soon_told_in_small_files(
    run: Run, wide: Path, folder: Path, times: int
) -> None:
    """1,000 and 5,000 trials. Seconds of the processor: others may use it, too."""
    shutil.copytree(wide, folder, dirs_exist_ok=True)
    multiply(folder / "wide.db", count=200, times=times)
    for words in (
        ["report", "-o", "page.html"],
        ["front", "--plot", "front.html"],
        ["front", "--plot", "page.svg"],
        ["front", "--plot", "page.png"],
    ):
        seconds = run(*words, "--db", "wide.db").seconds
        assert 0 < seconds < MOST_SECONDS, words
        assert (folder / words[2]).stat().st_size < MOST_BYTES, words
        if words[0] == "report":
            page = (folder / "page.html").read_text()
            assert f"{200 * times:,} trials: " in page
            assert ("of the dominated candidates are not drawn" in page) == (times == 25)
