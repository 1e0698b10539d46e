"""Data sets of Hugging Face that lie on this machine."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from archdsl.errors import DataError
from archdsl.training.data.source import open_data
from tests.fixtures.data import png, shades, sizes

pa = pytest.importorskip("pyarrow", reason="an extra")
parquet = pytest.importorskip("pyarrow.parquet", reason="an extra")

LONG_AGO = 1_600_000_000
NAMES = ["even", "odd", "void"]
FEATURES = {
    "image": {"_type": "Image"},
    "label": {"names": NAMES, "_type": "ClassLabel"},
}


def table(
    shades: range,
    *,
    features: dict[str, Any] | None = FEATURES,
    labels: list[Any] | None = None,
    **others: list[Any],
) -> Any:
    """Rows as `datasets` stores them: a picture of each shade, of classes by odd and even."""
    images = [{"bytes": png(shade), "path": f"{shade}.png"} for shade in shades]
    columns = {
        "image": pa.array(images, pa.struct({"bytes": pa.binary(), "path": pa.string()})),
        "label": pa.array(labels or [shade % 2 for shade in shades]),
        **{name: pa.array(values) for name, values in others.items()},
    }
    said = {"huggingface": json.dumps({"info": {"features": features}})} if features else None
    return pa.table(columns).replace_schema_metadata(said)


def save(folder: Path, *rows: Any, how: Any = None) -> Path:
    """As `save_to_disk` does: a file of each table, of batches of three rows."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"data-{n:05}-of-{len(rows):05}.arrow" for n in range(len(rows))]
    for name, each in zip(names, rows, strict=True):
        with pa.ipc.new_stream(str(folder / name), each.schema, options=how) as out:
            out.write_table(each, 3)
        os.utime(folder / name, (LONG_AGO, LONG_AGO))
    state = {"_data_files": [{"filename": name} for name in names]}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "cache-1.arrow").write_bytes(b"of another column")
    return folder


def pack(path: Path, rows: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(rows, path)
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def refused(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        open_data(f"hfds/{path}")
    return str(caught.value)


@pytest.mark.parametrize("packed", [False, True])
def test_saved_and_packed_rows_are_pictures_in_parts(tmp_path: Path, packed: bool) -> None:
    parts = {"train": [range(8), range(8, 12)], "validation": [range(20, 24)]}
    for part, ranges in parts.items():
        for number, each in enumerate(ranges if packed else ()):
            pack(tmp_path / "data" / f"{part}-{number:05}-of-00002.parquet", table(each))
        if not packed:
            save(tmp_path / part, *map(table, ranges))
    dataset = open_data(f"hfds/{tmp_path}")
    assert (sizes(dataset), dataset.class_names) == ([12, 4], ("even", "odd"))
    assert [*shades(dataset, "train")] == [(shade, shade % 2) for shade in range(12)]
    assert [*shades(dataset, "validation")] == [(shade, shade % 2) for shade in range(20, 24)]
    assert dataset.remarks[0] == "passed over: 1 class without a picture (void)"
    assert [each.partition(" ")[0] for each in dataset.remarks[1:]] == ["unpacked"] * packed


def test_one_part_is_cut(tmp_path: Path) -> None:
    save(tmp_path / "whole", table(range(12)))
    assert sizes(open_data(f"hfds/{tmp_path}/whole")) == [8, 2, 2]
    path = pack(tmp_path / "hub" / "train-00000-of-00001.parquet", table(range(12)))
    assert "has files of train but none of validation" in refused(path.parent)
    assert sizes(open_data(f"hfds/{path.parent}/train-*.parquet")) == [8, 2, 2]
    pack(path.parent / "test-00000-of-00001.parquet", table(range(4), labels=[-1] * 4))
    dataset = open_data(f"hfds/{path.parent}")
    assert (sizes(dataset)[0], dataset.remarks[0]) == (
        8,
        "passed over: test-00000-of-00001.parquet (without labels), which are of no part",
    )


def test_without_a_word_of_hugging_face_columns_are_known_by_what_they_hold(tmp_path: Path) -> None:
    texts = [("cat", "dog")[shade % 2] for shade in range(12)]
    rows = table(range(12), features=None, labels=texts, caption=["x"] * 12)
    assert open_data(f"hfds/{save(tmp_path / 'a', rows)}").class_names == ("cat", "dog")
    plain = pa.table({"img": [png(shade) for shade in range(12)], "label": [4, 11] * 6})
    assert open_data(f"hfds/{save(tmp_path / 'b', plain)}").class_names == ("4", "11")


def test_of_several_columns_the_usual_one_is_told(tmp_path: Path) -> None:
    kinds = {"image": {"_type": "Image"}, "tags": [{"_type": "ClassLabel"}]}
    kinds |= {"fine_label": FEATURES["label"], "coarse_label": FEATURES["label"]}
    rows = table(range(12), features=kinds, fine_label=[0, 2] * 6, coarse_label=[0, 1] * 6)
    dataset = open_data(f"hfds/{save(tmp_path, rows)}")
    assert dataset.class_names == ("even", "void")
    assert "classes are those of the column fine_label; there are also coarse_label" in (
        dataset.remarks
    )


def test_packed_files_are_unpacked_once(tmp_path: Path) -> None:
    path = pack(tmp_path / "0.parquet", table(range(12)))
    first = open_data(f"hfds/{path}")
    path.write_bytes(bytes(path.stat().st_size))
    os.utime(path, (LONG_AGO, LONG_AGO))
    assert open_data(f"hfds/{path}").digest == first.digest
    for unpacked in Path(os.environ["ARCHDSL_CACHE"]).rglob("*.pictures"):
        unpacked.unlink()
    assert f"{path} cannot be read as parquet" in refused(path)
    pack(path, table(range(12)))
    assert open_data(f"hfds/{path}").digest == first.digest


def test_where_nothing_can_be_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pack(tmp_path / "0.parquet", table(range(12)))
    monkeypatch.setenv("ARCHDSL_CACHE", str(path))
    assert "its pictures are packed, and there is no place to unpack them into" in refused(path)
    assert sizes(open_data(f"hfds/{save(tmp_path / 'saved', table(range(12)))}")) == [8, 2, 2]


def test_faults_of_pictures_are_told_by_row(tmp_path: Path) -> None:
    rows = table(range(12)).to_pydict()
    rows["image"][5] = {"bytes": b"no picture", "path": "5.png"}
    broken = pa.table(rows)
    path = save(tmp_path / "a", broken) / "data-00000-of-00001.arrow" / "5.png"
    assert f"{path} cannot be decoded (it holds no picture)" in refused(tmp_path / "a")
    rows["image"][5]["path"] = None
    assert f"{Path('data-00000-of-00001.arrow', '5')} is no picture" in refused(
        save(tmp_path / "b", pa.table(rows))
    )
    for number, nothing in enumerate([None, {"bytes": None, "path": "5.png"}]):
        rows["image"][5] = nothing
        for place in (
            save(tmp_path / f"saved-{number}", pa.table(rows)),
            pack(tmp_path / f"{number}.parquet", pa.table(rows)),
        ):
            assert "row 5 holds no picture, at most the path of one" in refused(place)


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    two = {"image": {"_type": "Image"}, "a": FEATURES["label"], "b": FEATURES["label"]}
    rows = table(range(12), features=two, a=[0, 1] * 6, b=[0, 1] * 6)
    assert "has several columns of classes: a, b; leave one" in refused(save(tmp_path, rows))
    assert "has no column of classes" in refused(save(tmp_path, rows.select(["image"])))
    assert "has no column of pictures" in refused(save(tmp_path, rows.select(["label"])))
    missing = table(range(12), labels=[None, *[1, 0] * 5, -1])
    assert "0.png has no label that can be read" in refused(save(tmp_path, missing))
    beyond = table(range(12), labels=[0, 1, 3] * 4)
    assert "label '3' is none of the 3 classes" in refused(save(tmp_path, beyond))
    others = table(
        range(4), features={**FEATURES, "label": {"names": ["a"], "_type": "ClassLabel"}}
    )
    assert "its files do not name the same classes" in refused(
        save(tmp_path, table(range(8)), others)
    )
    packed = pa.ipc.IpcWriteOptions(compression="zstd")
    assert "is compressed; save it again" in refused(save(tmp_path, table(range(12)), how=packed))
    path = save(tmp_path, table(range(12))) / "data-00000-of-00001.arrow"
    path.write_bytes(path.read_bytes()[:500])
    assert f"{path} cannot be read as arrow" in refused(tmp_path)
    (tmp_path / "state.json").write_text("{}")
    assert "state.json is not what save_to_disk writes" in refused(tmp_path)


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    told = refused(save(tmp_path, table(range(12))))
    assert told.endswith("needs pyarrow, which is not installed: pip install 'archdsl[hfds]'")


def test_a_name_of_a_hub_is_not_fetched(tmp_path: Path) -> None:
    told = refused(tmp_path / "ylecun" / "mnist")
    assert "nothing is fetched" in told
    assert "load_dataset('NAME').save_to_disk('PATH')" in told
