"""What `archdsl doctor` finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at; `remedy` says what to do where it is not well."""

    name: str
    ok: bool
    found: str
    remedy: str = ""
