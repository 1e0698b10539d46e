"""What of a network reaches its prediction, and what `check` and `show` say of the rest."""

from __future__ import annotations

import pytest

from archdsl.document.shelves import names
from archdsl.plan.influence import influence
from archdsl.plan.read import read_model

LAST = "layers.3."


@pytest.mark.parametrize("name", names("specs"))
def test_nothing_on_the_shelf_is_computed_for_nothing(name: str) -> None:
    plan = read_model(name).plan
    found = influence(plan)
    predict = plan.output.predict
    unused = set() if predict == "mean" else set(plan.output.classifiers) - {predict}
    assert set(found.idle) == {f"classifiers.{each}" for each in unused}
    assert found.only_norm == ()
    assert found.sentences() == []


PRE = "exchange.norm.placement=pre"


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        ([], ""),
        (["output.predict=mean"], ""),
        # The norm of the last write replaces the process stream, which is predicted from.
        (["output.predict=process"], "layers.3.write (but for its norm)"),
        (["output.predict=process", PRE], "layers.3.write"),
        (
            ["output.predict=process", PRE, "memory.block={type: mlp, mlp_ratio: 1}"],
            "layers.3.write, layers.3.memory",
        ),
        (["exchange.order=[write, read, process, memory]", PRE], "layers.3.read, layers.3.process"),
        (["exchange.write=null", PRE], "embeds.process, layers.0-3.read, layers.0-3.process"),
        (["output.predict=process", "exchange.read=null", PRE], "embeds.memory, layers.0-3.write"),
    ],
)
def test_what_nothing_predicted_is_made_of_is_said(sets: list[str], said: str) -> None:
    found = influence(read_model("vittm-digits", sets).plan)
    if not said:
        assert found.sentences() == []
    else:
        [line] = found.sentences()
        assert line == f"no influence on the prediction: {said}"
