"""What of a network reaches its prediction, and what `check` and `show` say of the rest."""

from __future__ import annotations

import pytest

from archdsl.document.shelves import names
from archdsl.plan.cost import costs
from archdsl.plan.facts import facts
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
    assert facts(plan)["unused_share"] == 0


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
        share = f"{100 * found.unused_share:.1f} % of the parameters"
        assert line == f"no influence on the prediction: {said}; {share}"


def test_the_share_is_that_of_weights_without_a_gradient() -> None:
    last = "layers=[{at: [-1], exchange: {write: null}}]"
    plan = read_model("vittm-digits", ["depth=1", "output.predict=memory", last]).plan
    parts = {each.path: each.cost.params for each in (*costs(plan).embeds, *costs(plan).layers[0])}
    of_the_norm = 2 * 64
    expected = sum(parts.values()) - parts["embeds.memory"] - of_the_norm
    assert facts(plan)["unused_share"] == expected / facts(plan)["params"]
    assert facts(plan)["unused_share"] > 0.9


def test_weights_that_another_layer_uses_are_not_unused() -> None:
    """Only the last layer's block has no influence, and it is that of the other layers."""
    idle = ["output.predict=memory", "process.block.weights=shared", PRE]
    last = "layers=[{at: [-1], exchange: {write: null}}]"
    plan = read_model("vittm-digits", [*idle, last]).plan
    found = influence(plan)
    assert {"layers.3.read", "layers.3.process"} <= set(found.idle)
    [head] = [each for each in costs(plan).layers[3] if each.word == "read"]
    assert found.unused_share == head.cost.params / costs(plan).total.params
