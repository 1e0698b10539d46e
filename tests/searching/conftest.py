"""Every test stands in a folder of its own, with a small base model."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _in_the_folder(folder: Path) -> None: ...
