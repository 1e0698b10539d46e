"""`--set path=value` lays one value over a document by the merge rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from archdsl.errors import DocumentError
from archdsl.plan.read import read_model


@pytest.fixture
def document(tmp_path: Path, valid: str) -> str:
    path = tmp_path / "x.yaml"
    path.write_text(valid)
    return str(path)


def test_settings_replace_merge_and_delete(document: str) -> None:
    checked = read_model(
        document,
        [
            "process.dim=96",
            "image.size=[32, 64]",
            "memory.block=null",
            "exchange.norm={shared: false, placement: pre}",
            " process.block.mlp_ratio = 1e0",
        ],
    )
    plan = checked.plan
    assert plan.image == (3, 32, 64)
    assert plan.streams["process"].dim == 96
    assert [step.word for step in plan.layers[0]] == ["read", "process", "write"]
    assert checked.spec.exchange is not None
    assert not checked.spec.exchange.norm.shared
    assert checked.spec.process.block is not None
    assert checked.spec.process.block.mlp_ratio == 1


def test_later_settings_win(document: str) -> None:
    assert len(read_model(document, ["depth=3", "depth=4"]).plan.layers) == 4


def test_another_type_replaces_the_node(document: str) -> None:
    settings = ["process.block={type: mlp, mlp_ratio: 1}"]
    settings += [f"exchange.{word}.num_heads=3" for word in ("read", "write")]
    spec = read_model(document, settings).spec
    assert spec.document()["process"]["block"] == {"type": "mlp", "mlp_ratio": 1.0}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("process.dim=on", "process.dim  'on' is not a whole number"),
        ("process.dim", "a setting is path=value, such as process.dim=384"),
        ("=3", "a setting is path=value, such as process.dim=384"),
        ("process..dim=3", "a setting is path=value, such as process.dim=384"),
        ("proces.dim=3", "proces  unknown key; did you mean 'process'?"),
        ("exchange.wirte=null", "exchange.wirte  unknown key; did you mean 'write'?"),
        ("process.embed.patch_size=7", "process.embed.patch_size  7 does not divide"),
        ("name=!x y", "the tag '!x' is not allowed"),
        ("depth=[1", "not YAML: "),
        ("depth=null", "depth  missing: removed here"),
        ("process.embed.type=null", "process.embed.type  "),
        ("layers.0.at=[0]", "layers  items of a list cannot be addressed; give the whole list"),
        ("output.streams.0=memory", "output.streams  items of a list cannot be addressed"),
        ("process={}", "process  changes nothing: an empty mapping adds no key"),
        ("depth={choose: [1, 2]}", "depth  a hole ({choose: …}) belongs in a study"),
    ],
)
def test_problems_name_the_setting(document: str, setting: str, message: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read_model(document, [setting])
    heading, row = str(caught.value).splitlines()
    assert heading == f"--set {setting}: 1 problem"
    assert message in row


def test_problems_of_file_and_setting_come_together(document: str) -> None:
    path = Path(document)
    path.write_text(path.read_text().replace("depth: 2", "depth: two"))
    with pytest.raises(DocumentError) as caught:
        read_model(document, ["process.dim=on"])
    assert [each.source for each in caught.value.problems] == [document, "--set process.dim=on"]


def test_problems_of_all_settings_come_together(document: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read_model(document, ["nonsense", "layers.0.at=[0]", "depht=null", "process.dim=on"])
    assert [each.source.split()[1] for each in caught.value.problems] == [
        "nonsense", "layers.0.at=[0]", "depht=null", "process.dim=on",
    ]  # fmt: skip


def test_a_setting_mends_a_document(document: str) -> None:
    path = Path(document)
    path.write_text(path.read_text().replace("depth: 2", "depth: two"))
    assert len(read_model(document, ["depth=2"]).plan.layers) == 2
