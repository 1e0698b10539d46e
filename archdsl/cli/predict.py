"""`archdsl predict`: what a trained network says of pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archdsl.cli.handling import handled
from archdsl.cli.options import Debug, Json
from archdsl.cli.printing import print_json, print_table, say
from archdsl.errors import DataError

if TYPE_CHECKING:
    from archdsl.training.bundle import Bundle

EXAMPLE = "Example: archdsl predict runs/digits picture.png"
BATCH = 32


@handled
def command(
    bundle: Annotated[
        Path, typer.Argument(metavar="BUNDLE", help="Folder of a training, or its bundle.")
    ],
    pictures: Annotated[list[Path], typer.Argument(metavar="PICTURE", help="Files.")],
    top: Annotated[int, typer.Option(min=1, help="How many of the likeliest classes.")] = 3,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Say of pictures what a trained network takes them for.

    Needs no training data. Pictures that cannot be read are named at the end, with exit code 2.
    """
    from archdsl.training.bundle import load_bundle

    network = load_bundle(bundle)
    broken: dict[Path, str] = {}
    found = dict(_predicted(network, pictures, broken))
    if as_json:
        print_json(
            {
                "pictures": [
                    {"picture": str(path), "classes": _ranked(shares, top)}
                    for path, shares in found.items()
                ],
                "broken": [{"picture": str(path), "why": why} for path, why in broken.items()],
            }
        )
    elif found:
        _put(found, top)
    for why in broken.values():
        say(why)
    if broken:
        raise DataError(f"{len(broken)} of {len(set(pictures))} pictures cannot be read")


def _predicted(
    network: Bundle, pictures: Sequence[Path], broken: dict[Path, str]
) -> Iterator[tuple[Path, dict[str, float]]]:
    """The shares of each picture's classes; `broken` gains what cannot be read, and why."""
    paths = list(dict.fromkeys(pictures))
    for start in range(0, len(paths), BATCH):
        read = {}
        for path in paths[start : start + BATCH]:
            try:
                read[path] = network.pixels(path)
            except DataError as error:
                broken[path] = str(error)
        if read:
            rows = network.probabilities(list(read.values())).tolist()
            yield from zip(read, map(network.ranked, rows), strict=True)


def _ranked(shares: dict[str, float], top: int) -> list[dict[str, Any]]:
    first = list(shares.items())[:top]
    return [{"class": name, "probability": share} for name, share in first]


def _put(found: dict[Path, dict[str, float]], top: int) -> None:
    rows = []
    for path, shares in found.items():
        (name, share), *others = list(shares.items())[:top]
        rest = ", ".join(f"{other} {part:.1%}" for other, part in others)
        rows.append([str(path), name, f"{share:.1%}", rest])
    print_table(["picture", "class", "probability", "then"], rows)
