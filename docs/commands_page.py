"""The page of all commands: what `archdsl COMMAND --help` prints."""

from __future__ import annotations

import re

from typer.testing import CliRunner

from archdsl.cli.main import COMMANDS, app, load_command

# Whatever the terminal is that the pages are built in.
ENVIRONMENT = {"COLUMNS": "100", "TERMINAL_WIDTH": "100", "NO_COLOR": "1", "TERM": "dumb"}
INTRODUCTION = """\
# Commands

What `archdsl COMMAND --help` prints. Every command ends with 0 on success, and with 2 and one
message after a user's mistake; with `--json` it prints one JSON document on standard output and
everything else on standard error.
"""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def help_of(*words: str) -> str:
    """What `archdsl WORDS --help` prints, without colours and empty edges.

    Raises:
        RuntimeError: it fails.
    """
    done = CliRunner().invoke(app, [*words, "--help"], prog_name="archdsl", env=ENVIRONMENT)
    if done.exit_code:
        raise RuntimeError(f"archdsl {' '.join(words)} --help: {done.output}")
    lines = [line.rstrip() for line in _COLOUR.sub("", done.output).splitlines()]
    return "\n".join(lines).strip("\n")


def commands_page() -> str:
    """Markdown: a section for each command."""
    parts = [INTRODUCTION]
    for name in COMMANDS:
        parts.append(f"## archdsl {name}\n\n```text\n{help_of(name)}\n```\n")
        for word in getattr(load_command(name), "commands", ()):
            text = help_of(name, word)
            parts.append(f"### archdsl {name} {word}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)
