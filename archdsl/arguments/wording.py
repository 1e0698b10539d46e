"""Remedies of errors as whoever called a function can follow them.

Rooms below say what to do in options of the command, as most people type them; the functions of the
package's root take the same as arguments.
"""

from __future__ import annotations

import re
from typing import Any

_COMMAND = re.compile(r"(archdsl (?!search\b)[a-z]+ [^;,)`]*)")
"""A command that no function stands for; what it is told is typed."""
_VALUE = r"([^\s'\"]+?)(?=[;:,)]*(?:\s|$))"
_IN_PYTHON = {
    rf"--set {_VALUE}": r"sets='\1'",
    rf"--retry {_VALUE}": r"retry='\1'",
    rf"--db (?=\S*[./]){_VALUE}": r"db='\1'",
    rf"--device {_VALUE}": r"device='\1'",
    r"\bwith -o\b": "with folder=",
    r"--threads (\d+)": r"threads=\1",
    r"--(set|db|runner|retry)\b": r"\1=",
    r"`archdsl search`": "`archdsl.search`",
    r"\bsame command\b": "same call",
}


def in_python(message: Any) -> Any:
    """A message whose options are arguments; what is no text stays as it is."""
    if not isinstance(message, str):
        return message
    parts = _COMMAND.split(message)
    for option, argument in _IN_PYTHON.items():
        parts[::2] = [re.sub(option, argument, part) for part in parts[::2]]
    return "".join(parts)
