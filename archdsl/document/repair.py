"""Why a text is not YAML: the one line that a small change would mend, found by trying.

The parser names where it gave up, which may be lines after the mistake. A space that is missing
after a colon and a line that is indented otherwise than its neighbours are mended here, so that the
message names that line, and the rest of the text can be judged in the same go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MOST_LINES = 5_000
"""Of a text that is mended; each attempt reads it once more."""

# Not within quotes, nor of an address or a time: `s3://…`, `12:30`.
_NO_SPACE = re.compile(r"""(?<![\w"'./:#-])([A-Za-z_]\w*):(?=[^\s:/,}\]])""")
_NO_SPACE_AFTER_DASH = re.compile(r"^(\s*-)(?=[\[{]|[A-Za-z_]\w*:\s)")

_ITEM = re.compile(r" *- +(?=\w+:)")
_OPENS = re.compile(r"(:\s*(#.*)?$)|^ *- ")


@dataclass(frozen=True, kw_only=True)
class Repair:
    """A change to one line that lets the parser go on.

    Args:
        lines: the whole text with it.
        line: the changed one, from 0.
        column: where the mistake is, from 0.
        message: what is wrong, and what to write.
    """

    lines: list[str]
    line: int
    column: int
    message: str

    @property
    def text(self) -> str:
        """The whole text with the change."""
        return "\n".join(self.lines)


def parse_error(text: str) -> yaml.MarkedYAMLError | None:
    """Where the parser gives up, None where it does not."""
    try:
        for _ in yaml.parse(text, Loader=LOADER):
            pass
    except yaml.MarkedYAMLError as error:
        return error
    return None


def repair(text: str, mark: yaml.Mark) -> Repair | None:
    """The change after which the parser comes to the end, or else furthest; None if none helps.

    Args:
        text: what is not YAML.
        mark: where the parser gave up.
    """
    lines = text.split("\n")
    if len(lines) > MOST_LINES:
        return None
    best, furthest = None, mark.line
    for each in _attempts(lines, mark.line):
        error = parse_error(each.text)
        if error is None:
            return each
        if error.problem_mark and error.problem_mark.line > furthest:
            best, furthest = each, error.problem_mark.line
    return best


def _attempts(lines: list[str], at: int) -> Iterator[Repair]:
    """Changes of the line where the parser gave up and of the one before, likely ones first."""
    written = [number for number, line in enumerate(lines) if line.split("#")[0].strip()]
    before = [number for number in written if number < at]
    after = [number for number in written if number > at]
    here = ([at] if at in written else []) + before[-1:]
    for number in here:
        yield from _spaced(lines, number)
    if at not in written:
        return
    if len(before) > 1 and _indent(lines[before[-2]]) == _indent(lines[at]):
        yield from _indented(lines, before[-1], [before[-2]])
    yield from _indented(lines, at, [*before[::-1], *after[:1]])
    if before:
        yield from _indented(lines, before[-1], [*before[-2::-1], at])


def _spaced(lines: list[str], number: int) -> Iterator[Repair]:
    line = lines[number]
    for pattern, sign in ((_NO_SPACE, "colon"), (_NO_SPACE_AFTER_DASH, "dash")):
        found = pattern.search(line)
        if found:
            mended = pattern.sub(r"\g<0> ", line)
            start, end = found.start(1), found.end()
            message = (
                f"a space is missing after the {sign}: write '{_word(mended[start:].lstrip())}'"
            )
            changed = [*lines[:number], mended, *lines[number + 1 :]]
            column = start if sign == "colon" else end - 1
            yield Repair(lines=changed, line=number, column=column, message=message)


def _word(text: str) -> str:
    """The beginning of a line's text: a key and its value."""
    found = re.match(r"-?\s*\w*:? ?(?:[\[{][^\]}]*[\]}]?|[^\s,}\]]*)", text)
    return found.group() if found else text


def _indented(lines: list[str], number: int, others: list[int]) -> Iterator[Repair]:
    """A line, and what stands under it, indented to stand beside one of the others."""
    own = _indent(lines[number])
    end = number + 1
    while _OPENS.search(lines[number]) and end < len(lines) and _is_under(lines[end], own):
        end += 1
    for indent, other in _levels(lines, others).items():
        if indent == own:
            continue
        moved = [_moved(line, indent - own) for line in lines[number:end]]
        yield Repair(
            lines=[*lines[:number], *moved, *lines[end:]],
            line=number,
            column=own,
            message=f"indented by {_spaces(own)}, which fits no line around it; "
            f"indent it by {indent} to stand beside line {other + 1}",
        )


def _is_under(line: str, indent: int) -> bool:
    return not line.strip() or _indent(line) > indent


def _levels(lines: list[str], others: list[int]) -> dict[int, int]:
    """Indentations, each with the first line that has it; an item of a list has that of its words,
    too."""
    levels: dict[int, int] = {}
    for each in others:
        levels.setdefault(_indent(lines[each]), each)
        item = _ITEM.match(lines[each])
        if item:
            levels.setdefault(item.end(), each)
    return levels


def _moved(line: str, by: int) -> str:
    return " " * by + line if by > 0 else line[min(-by, _indent(line)) :]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _spaces(count: int) -> str:
    return f"{count} space" if count == 1 else f"{count} spaces"
