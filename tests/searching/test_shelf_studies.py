"""The studies that come with the package."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from archdsl.document.shelves import documents, packaged
from archdsl.searching.read import read_study
from archdsl.searching.schema import study_schema

SHELF = documents(packaged("search"))


def test_the_schema_on_the_shelf_is_the_generated_one() -> None:
    assert json.loads((packaged("search") / "study.schema.json").read_text()) == study_schema()


@pytest.mark.parametrize("path", SHELF, ids=lambda path: path.stem)
def test_studies_of_the_shelf_are_valid_and_named_as_their_files(path: Path) -> None:
    jsonschema.validate(yaml.safe_load(path.read_text()), study_schema())
    assert path.read_text().splitlines()[0] == "# yaml-language-server: $schema=study.schema.json"
    assert read_study(str(path)).study.name == path.stem
