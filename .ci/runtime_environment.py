"""What a wheel declares, and no more, from one environment into a fresh one: by hard links.

    python .ci/runtime_environment.py WHEEL ENVIRONMENT

Run by the Python that has everything installed. It takes from there the wheel's requirements and
what they require in turn, in seconds where installing PyTorch once more takes minutes. Whether that
is enough is for `pip check` to say, and for the commands that are run there.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from email.parser import HeaderParser
from importlib.metadata import Distribution, distribution
from importlib.util import cache_from_source
from pathlib import Path
from zipfile import ZipFile

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def declared(wheel: Path) -> list[Requirement]:
    """The requirements in a wheel's metadata."""
    with ZipFile(wheel) as archive:
        [name] = [each for each in archive.namelist() if each.endswith(".dist-info/METADATA")]
        metadata = HeaderParser().parsestr(archive.read(name).decode())
    return [Requirement(each) for each in metadata.get_all("Requires-Dist", [])]


def closure(wanted: list[Requirement]) -> dict[str, Distribution]:
    """All distributions that requirements lead to, by name."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    todo = [(each, "") for each in wanted]
    while todo:
        requirement, extra = todo.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        found.setdefault(name, distribution(name))
        for more in {"", *requirement.extras}:
            if (name, more) not in seen:
                seen.add((name, more))
                todo += [(Requirement(each), more) for each in found[name].requires or []]
    return found


def link(installed: Distribution, *, to: Path) -> None:
    """The files of a distribution and what was compiled of them, but for its commands: those name
    the other Python."""
    for file in installed.files or []:
        source = Path(str(file.locate()))
        if ".." in file.parts or not source.is_file():
            continue
        for each in (source, Path(cache_from_source(source))):
            target = (to / file).parent / each.relative_to(source.parent)
            if not each.is_file() or target.exists():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(each, target)
            except OSError:  # another file system
                shutil.copy2(each, target)


def main(wheel: str, environment: str) -> None:
    place = sysconfig.get_path("purelib", "venv", {"base": environment, "platbase": environment})
    for installed in closure(declared(Path(wheel))).values():
        link(installed, to=Path(place))


if __name__ == "__main__":
    main(*sys.argv[1:])
