"""What a message may show of a URL: no credentials, however it is mistyped, and no password."""

from __future__ import annotations

import re

HIDDEN = "…"

_SCHEME = re.compile(
    r"\s*(?:[a-z][\w+.-]*:[/\\]+|postgres\w*(?:\+\w+)?[:;]?[/\\]*|[/\\]+)?", re.IGNORECASE
)
_NO_PORT = re.compile(r"[^/@\s:]*:(?!\d{1,5}(?:[/?,]|$))(.+)", re.DOTALL)
"""What follows a server's name, or a user's whose `@` is missing, where a port may stand."""
SECRET_WORD = re.compile(r"pass|pwd|secret|token", re.IGNORECASE)
_FILE = re.compile(r"\s*(?:sqlite|file):[/\\]{3}", re.IGNORECASE)
_SECRET = re.compile(
    rf"(?:{SECRET_WORD.pattern})\w{{0,40}}(?:\s*=\s*|%3D)(.*?)(?=[\s&;]+\w+\s*=|$)",
    re.IGNORECASE | re.DOTALL,
)
# Only where a word begins: tried at each letter of a long one, it takes the square of the time.
_IN_MESSAGE = re.compile(
    r"(?<![\w+.-])[a-z][\w+.-]*:[/\\]+[^\s@]*:(?!\*\*\*@)\S*@\S*", re.IGNORECASE
)


def masked(url: str) -> str:
    """A URL, or what was meant for one, without what stands between its scheme and its last `@`,
    without what follows a name and is no port, and without the value of any word like `password`.
    """
    spans = [found.span(1) for found in _SECRET.finditer(url)]
    scheme, at = _SCHEME.match(url), url.rfind("@")
    if scheme and at > 0:
        spans.append((scheme.end(), at))
    elif scheme and ":" in scheme[0] and not _FILE.match(url):
        spans += [found.span(1) for found in [_NO_PORT.match(url, scheme.end())] if found]
    shown, position = "", 0
    for start, end in sorted(spans):
        if end > position:
            shown += url[position : max(start, position)]
            shown += "" if shown.endswith(HIDDEN) else HIDDEN
            position = end
    return shown + url[position:]


def masked_message(text: str) -> str:
    """A message with every URL in it `masked` that has a password."""
    if "@" not in text:  # there is nothing to hide, and a long text is not searched for it
        return text
    return _IN_MESSAGE.sub(lambda found: masked(found[0]), text)
