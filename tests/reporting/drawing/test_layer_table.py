"""The layer-by-layer table adds up to what is known of the whole."""

from __future__ import annotations

import pytest

from archdsl.document.shelves import names
from archdsl.plan.cost import costs
from archdsl.plan.facts import facts
from archdsl.plan.read import read_model
from archdsl.reporting.drawing.layer_table import layer_table


@pytest.mark.parametrize("name", names("specs"))
def test_rows_add_up_to_the_facts(name: str) -> None:
    plan = read_model(name).plan
    known = facts(plan)
    found = layer_table(plan).plain(None)
    for quantity in ("params", "macs", "macs_fvcore"):
        assert sum(row[quantity] for row in found["rows"]) == known[quantity]
        assert found["total"][quantity] == known[quantity]
        for row in found["rows"]:
            assert sum(part[quantity] for part in row["parts"]) == row[quantity]
    assert [row["name"] for row in found["rows"] if row["name"].startswith("layer")] == [
        f"layer {number}" for number in range(len(plan.layers))
    ]


def test_rows_say_tokens_and_width() -> None:
    rows = {
        row["name"]: row for row in layer_table(read_model("crossvit-18").plan).plain(None)["rows"]
    }
    assert rows["embed memory"]["tokens"] == {"memory": 401}
    assert rows["layer 2"]["tokens"] == {"process": 197, "memory": 401}
    assert rows["layer 2"]["width"] == {"process": 448, "memory": 224}
    assert [part["word"] for part in rows["layer 2"]["parts"]] == [
        "process",
        "memory",
        "read",
        "write",
    ]
    assert rows["classifier process"]["width"] == {"process": 448}


def test_shared_weights_count_where_they_are_met_first() -> None:
    first, second, *_ = costs(read_model("lookupvit-b-5").plan).layers
    assert [part.path for part in first] == [
        "layers.0.read",
        "layers.0.process",
        "layers.0.write",
        "layers.0.memory",
    ]
    assert all(part.cost.params for part in first if part.word in ("read", "memory"))
    assert not any(part.cost.params for part in second if part.word in ("read", "memory"))
    assert [part.cost.macs for part in first] == [part.cost.macs for part in second]


def test_shares_are_laid_beside() -> None:
    table = layer_table(read_model("vittm-digits").plan)
    paths = [part.path for row in table.rows for part in row.parts]
    shares = {path: 0.9 / len(paths) for path in paths}
    found = table.plain(shares)
    assert sum(row["time_share"] for row in found["rows"]) == pytest.approx(0.9)
