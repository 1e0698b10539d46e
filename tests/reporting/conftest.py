"""Pages as a browser would parse them."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from archdsl.reporting.pages.findings import read_findings
from archdsl.reporting.pages.report_page import report_html
from archdsl.store.rows import StudyRow
from archdsl.store.store import Store

VOID = {"meta", "img", "link", "br"}


class Page(HTMLParser):
    """What a reader meets: elements, attributes and the text of each element."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, "every element is closed in turn"

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def under(self, tag: str) -> str:
        """The text directly inside all elements of a kind."""
        return "".join(text for inside, text in self.texts if inside == tag)

    @property
    def text(self) -> str:
        """All that is to be read."""
        return "".join(text for inside, text in self.texts if inside not in ("style", "script"))

    def marks(self) -> int:
        """How many marks of pictures tell what they are."""
        return sum(attributes.get("class") == "point" for _, attributes in self.elements)

    def assert_harmless(self) -> None:
        """Nothing runs but the page's own script, and nothing is loaded."""
        assert [tag for tag, _ in self.elements].count("script") == 1
        assert not {"img", "iframe", "object", "link", "base"} & {tag for tag, _ in self.elements}
        for _, found in self.elements:
            assert not any(name.startswith("on") for name in found)
            assert "src" not in found
            assert (found.get("href") or "#").startswith("#")


@pytest.fixture
def parse() -> Callable[[str], Page]:
    return Page


@pytest.fixture
def report(store: Store) -> Callable[[StudyRow], Page]:
    """The report of a study, parsed; it is known to be harmless."""

    def written(study: StudyRow) -> Page:
        page = Page(report_html(read_findings(store, study)))
        page.assert_harmless()
        return page

    return written
