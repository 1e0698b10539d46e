"""The part of a report about other devices: how much of one's front is on another's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archdsl.reporting.markup import boxed, paragraph, section, table
from archdsl.reporting.pages.findings import Findings

HEADING = "On other devices"


def devices_section(found: Findings) -> str:
    """Each device beside each other one; nothing where one device alone is known."""
    if not found.survivals:
        return ""
    names = _names([each.here for each in found.survivals])
    rows = [
        (
            boxed(names[_key(each.here)]),
            boxed(names[_key(each.there)]),
            f"{each.common:,}",
            f"{each.members:,}",
            f"{each.survivors:,} ({100 * each.survivors / each.members:.0f} %)",
        )
        for each in found.survivals
    ]
    heads = ("front of", "seen on", "architectures measured on both", "members", "still members")
    body = paragraph(
        "The database holds the same architectures measured under the same conditions on several "
        "devices. Each has a front of its own over what both have measured; this is how much of "
        "one is also on the other. What does not depend on a device is this study's own."
    )
    caption = "How much of one device's front is on another's"
    return section("devices", HEADING, body + table(heads, rows, caption=caption))


def _key(fingerprint: Mapping[str, Any]) -> str:
    return repr(sorted(fingerprint.items()))


def _names(fingerprints: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """A device's name; where two share it, with all that tells them apart."""
    unique = {_key(each): each for each in fingerprints}
    words = {word for each in unique.values() for word in each}
    differing = [
        word
        for word in sorted(words - {"name"})
        if len({repr(each.get(word)) for each in unique.values()}) > 1
    ]
    names = [each.get("name") for each in unique.values()]
    found = {}
    for key, each in unique.items():
        name = str(each.get("name") or "a device of unknown name")
        if names.count(each.get("name")) > 1:
            name += f" ({', '.join(f'{word} {each.get(word)}' for word in differing)})"
        found[key] = name
    return found
