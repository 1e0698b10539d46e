"""Writes the pages that are made of the code and of the shelves.

`docs/language.md` is part of the repository, the others go into `docs/generated/`.

python docs/generate.py
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from commands_page import commands_page
from language_page import language_page
from python_page import python_page

LANGUAGE = "language.md"
FOLDER = "generated"
SHELVES = {
    "specs/README.md": "models.md",
    "search/README.md": "studies.md",
    "recipes/README.md": "recipes.md",
    "runners/README.md": "profiles.md",
}
"""READMEs that have a page of their own here."""
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")


def write_pages(docs: Path) -> list[Path]:
    """Write all generated pages; one that is as it was is left alone, so Sphinx reads it once."""
    folder = docs / FOLDER
    folder.mkdir(exist_ok=True)
    texts = {
        docs / LANGUAGE: language_page(),
        folder / "commands.md": commands_page(),
        folder / "python_reference.md": python_page(),
    }
    for readme, name in SHELVES.items():
        path = docs.parent / readme
        text = relinked(path.read_text(encoding="utf-8"), folder=path.parent, docs=docs, to=folder)
        texts[folder / name] = text
    for path, text in texts.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    return list(texts)


def relinked(text: str, *, folder: Path, docs: Path, to: Path | None = None) -> str:
    """The text with links that work among the built pages.

    Args:
        text: Markdown, with links as they work in the repository.
        folder: where it lies there.
        docs: the folder of the pages. What lies outside and has no page keeps its name alone.
        to: the folder that the text is written to; `folder` unless given.
    """
    pages = {(docs.parent / readme).resolve(): docs / FOLDER / page
             for readme, page in SHELVES.items()}  # fmt: skip

    def change(link: re.Match[str]) -> str:
        words, address = link.groups()
        target, _, anchor = address.partition("#")
        if not target or "://" in target:
            return link[0]
        found = (folder / target).resolve()
        page = pages.get(found, found)
        if not page.is_relative_to(docs.resolve()) and page == found:
            return words
        place = os.path.relpath(page, to or folder)
        return f"[{words}]({place}{'#' if anchor else ''}{anchor})"

    return _LINK.sub(change, text)


if __name__ == "__main__":
    for page in write_pages(Path(__file__).resolve().parent):
        print(page)
