"""What is known of an architecture before anything is built."""

from __future__ import annotations

from archdsl.plan.facts import FACTS, facts
from archdsl.plan.read import read_model


def test_facts_of_the_published_model() -> None:
    found = facts(read_model("vittm-b-32-16").plan)
    assert list(found) == list(FACTS)
    assert (found["process_tokens"], found["memory_tokens"], found["depth"]) == (49, 196, 12)
    assert (found["process_dim"], found["memory_dim"]) == (768, 768)
    assert f"{found['params_m']:.2f} {found['macs_g']:.3f}" == "111.03 7.140"


def test_facts_of_one_stream() -> None:
    found = facts(read_model("vit-b-16").plan)
    assert (found["process_tokens"], found["memory_tokens"], found["memory_dim"]) == (197, 0, 0)
