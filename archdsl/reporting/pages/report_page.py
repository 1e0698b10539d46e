"""The report of a study: one self-contained page, from sections that each tell one thing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archdsl.reporting.formatting import drawn_of
from archdsl.reporting.pages.choices_section import choices_section, importance_section
from archdsl.reporting.pages.conditions import conditions_section, devices_section
from archdsl.reporting.pages.endings import endings_section
from archdsl.reporting.pages.findings import Findings
from archdsl.reporting.pages.front_section import front_section, progress_section
from archdsl.reporting.pages.members import members_section
from archdsl.reporting.pages.page import render, render_page
from archdsl.version import __version__

Section = Callable[[Findings], dict[str, Any] | None]
"""What a template `sections/NAME.html` shows, `heading` among it; None leaves the part out."""

SECTIONS: dict[str, tuple[str, Section]] = {
    "front": ("The front", front_section),
    "progress": ("Over time", progress_section),
    "choices": ("Choices", choices_section),
    "importance": ("What made the difference", importance_section),
    "members": ("The members", members_section),
    "conditions": ("How it was measured", conditions_section),
    "devices": ("Other devices", devices_section),
    "endings": ("Not complete", endings_section),
}
"""Name of each part to its short title and what its template shows, in the order of the page."""


def report_html(found: Findings) -> str:
    """The page. It loads nothing and shows every text; equal findings, equal pages."""
    results = found.results
    study = results.study
    sections = [
        {
            "name": name,
            "title": title,
            "heading": context["heading"],
            "body": render(f"sections/{name}.html", context),
        }
        for name, (title, section) in SECTIONS.items()
        if (context := section(found)) is not None
    ]
    goals = ", ".join(f"{goal} {name}" for name, goal in study.objectives.items())
    return render_page(
        "report.html",
        mark=drawn_of(study.digest),
        title=f"Search {study.name}",
        about=" ".join(f"{said}." for said in (f"Aim: {goals}", results.conditions) if said),
        sections=sections,
        footer=f"archdsl {__version__}; study {study.digest}",
    )
