"""The report of a study: one self-contained page, from sections that each tell one thing."""

from __future__ import annotations

from html import escape
from string import Template

from archdsl import __version__
from archdsl.reporting.markup import paragraph, policy, text
from archdsl.reporting.pages.choices_section import choices_section
from archdsl.reporting.pages.conditions import conditions_section
from archdsl.reporting.pages.devices_section import devices_section
from archdsl.reporting.pages.endings import endings_section
from archdsl.reporting.pages.findings import Findings
from archdsl.reporting.pages.front_section import front_section
from archdsl.reporting.pages.importance_section import importance_section
from archdsl.reporting.pages.members import members_section
from archdsl.reporting.pages.progress_section import progress_section
from archdsl.reporting.pages.report_style import FRAME, SCRIPT, STYLE
from archdsl.reporting.text import SOFTWARE, clean

SECTIONS = {
    "front": ("The front", front_section),
    "progress": ("Over time", progress_section),
    "choices": ("Choices", choices_section),
    "importance": ("What made the difference", importance_section),
    "members": ("The members", members_section),
    "conditions": ("How it was measured", conditions_section),
    "devices": ("Other devices", devices_section),
    "endings": ("Not complete", endings_section),
}
"""Name of each part to its short title and what writes it, in the order of the page."""


def report_html(found: Findings) -> str:
    """The page. It loads nothing and shows every text; equal findings, equal pages."""
    front = found.front
    sections = {name: write(found) for name, (_, write) in SECTIONS.items()}
    links = "".join(
        f'<li><a href="#{name}">{SECTIONS[name][0]}</a></li>' for name in sections if sections[name]
    )
    goals = ", ".join(f"{goal} {name}" for name, goal in front.study.objectives.items())
    return Template(FRAME).substitute(
        policy=policy(SCRIPT),
        generator=SOFTWARE,
        title=f"Search {escape(clean(front.study.name))}",
        style=STYLE,
        script=SCRIPT,
        links=links,
        about=paragraph(f"Aim: {goals}. {front.conditions}.", kind="note"),
        body="\n".join(sections.values()),
        footer=text(f"archdsl {__version__}; study {front.study.digest}"),
    )
