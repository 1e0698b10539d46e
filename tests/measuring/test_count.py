"""Figures of the paper's Table 5, in both conventions, from the traced modules."""

from __future__ import annotations

import pytest
from torch import Tensor, nn

from archdsl.compiler import build
from archdsl.document.shelves import names
from archdsl.errors import MeasureError
from archdsl.measuring.count import Count, count
from archdsl.plan.cost import cost, params_allocated
from archdsl.plan.plan import Plan
from archdsl.plan.read import read_model

# Tokens by stream, params allocated, params (millions), fvcore's GMACs, GMACs.
TABLE = {
    "vittm-b-28-28": ("64 64", "126.52", "111.61", "7.0837", "7.159"),
    "vittm-b-32-16": ("49 196", "125.36", "111.03", "7.0961", "7.140"),
    "vit-b-16": ("197", "86.57", "86.57", "16.8674", "17.583"),
    "vit-b-32": ("50", "88.22", "88.22", "4.3679", "4.414"),
}


@pytest.mark.parametrize("name", TABLE)
def test_published_figures(name: str) -> None:
    plan = read_model(name).plan
    found = count(plan)
    assert TABLE[name] == (
        " ".join(str(stream.tokens) for stream in plan.streams.values()),
        f"{found.params_allocated / 1e6:.2f}",
        f"{found.params / 1e6:.2f}",
        f"{found.macs_fvcore / 1e9:.4f}",
        f"{found.macs / 1e9:.3f}",
    )


@pytest.mark.parametrize("name", names("specs"))
def test_the_plan_alone_knows_the_same(name: str) -> None:
    plan = read_model(name).plan
    planned = cost(plan)
    assert count(plan) == Count(
        params=planned.params,
        params_allocated=params_allocated(plan),
        macs=planned.macs,
        macs_fvcore=planned.macs_fvcore,
    )


@pytest.mark.parametrize("name", ["vittm-b-28-28", "vittm-b-32-16"])
def test_without_the_published_layout_all_is_used(name: str) -> None:
    published, plain = read_model(name).plan, read_model(name, ["published_layout=null"]).plan
    found = count(plain)
    assert found.params_allocated == found.params == count(published).params
    assert plain.arch_id == published.arch_id


def digits(*settings: str) -> Plan:
    return read_model("vittm-digits", settings).plan


def test_different_layers_are_all_counted() -> None:
    whole, one = count(digits()), count(digits("depth=1"))
    mixed = count(digits("layers=[{at: [1, 3], process: {blocks: 2}}]"))
    per_layer = (whole.macs - one.macs) // 3
    assert whole.macs == one.macs + 3 * per_layer
    block = count(digits("depth=1", "process.blocks=2")).macs - one.macs
    assert mixed.macs == whole.macs + 2 * block


class _Unknown(nn.Module):
    def forward(self, target: Tensor, read: Tensor) -> Tensor:
        return (target + read).cumsum(dim=1)


class _Twice(nn.Module):
    def forward(self, target: Tensor, read: Tensor) -> Tensor:
        return target + read @ read.transpose(1, 2) @ read


def test_an_operation_nobody_can_count_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(build.FUSIONS, "add", _Unknown)
    with pytest.raises(MeasureError, match=r"cannot count these operations: aten::cumsum"):
        count(digits())


def test_a_module_that_costs_more_than_its_word_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(build.FUSIONS, "add", _Twice)
    with pytest.raises(MeasureError, match="macs: the traced module has"):
        count(digits())
