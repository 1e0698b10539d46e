"""`archdsl data`: what a source of images holds, before anything is paid for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from archdsl.cli.handling import handled
from archdsl.cli.options import Debug, Json, Sets
from archdsl.cli.printing import print_json, print_table, put
from archdsl.document.messages import counted
from archdsl.plan.read import read_model
from archdsl.runners.data_probe import ANY_SIZE
from archdsl.runners.read import read_profile

if TYPE_CHECKING:
    from archdsl.training.data.dataset import Dataset

EXAMPLE = "Example: archdsl data folder:photos"


@handled
def command(
    source: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="digits, folder:DIR, csv:FILE, npz:FILE, wds/PATH, hfds/PATH or a runner's name.",
        ),
    ],
    spec: Annotated[
        str | None, typer.Argument(metavar="SPEC", help="A model document that is to fit them.")
    ] = None,
    sets: Sets = None,
    split_seed: Annotated[int, typer.Option(min=0, help="Of the parts that are cut.")] = 0,
    runner: Annotated[str, typer.Option(metavar="NAME", help="Run profile with names.")] = "local",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Say what a source of images holds: its parts, its classes, how it is read.

    With a document that does not fit, exit code 2 and the words to change.
    """
    from archdsl.training.data.dataset import MixedSizesError, check_data
    from archdsl.training.data.source import open_data

    model = read_model(spec, sets or ()).spec if spec else None
    names = read_profile(runner).data
    size = model.image.size if model else None
    try:
        data = open_data(source, names=names, split_seed=split_seed, image_size=size)
    except MixedSizesError:
        data = open_data(source, names=names, split_seed=split_seed, image_size=ANY_SIZE)
    if as_json:
        print_json(data_record(data))
    else:
        put_data(data)
    if model:
        check_data(data, model)
        if not as_json:
            put(f"fits       {model.name}")


def put_data(data: Dataset) -> None:
    """Print what they hold."""
    from archdsl.training.data.dataset import size_word, told_of

    splits = data.splits()
    put(f"data       {data.name} ({data.digest})")
    for part, split in splits.items():
        put(f"{part:<10} {counted(len(split), 'image')}: {data.sources[part]}")
    colours = "grey" if data.channels == 1 else "RGB"
    sizes = f"{size_word(data.image_size)} pixels"
    if data.picture_sizes:
        smallest, largest = map(size_word, data.picture_sizes)
        sizes = f"from {smallest} to {largest} pixels, scaled to cover image.size and cropped"
    put(f"images     {colours}, {sizes}")
    put(f"document   image: {{{_words(data)}}}, output: {{num_classes: {data.num_classes}}}")
    for remark in told_of(data):
        put(f"note       {remark}")
    rows = [
        [each["name"], *(str(each[part]) for part in splits), f"{each['share']:.0%}"]
        for each in _classes(data)
    ]
    put()
    print_table(["class", *splits, "of train"], rows)


def _words(data: Dataset) -> str:
    """What a document says of images like these."""
    from archdsl.training.data.dataset import size_word

    size = "size: any" if data.picture_sizes else f"size: {size_word(data.image_size)}"
    return f"{size}, channels: {data.channels}"


def _classes(data: Dataset) -> list[dict[str, Any]]:
    """Each class with its images in each part, and its share of those to train on."""
    from archdsl.training.data.dataset import class_counts

    counts = {part: class_counts(split) for part, split in data.splits().items()}
    return [
        {
            "name": name,
            **{part: found[label] if label < len(found) else 0 for part, found in counts.items()},
            "share": counts["train"][label] / len(data.train),
        }
        for label, name in enumerate(data.class_names)
    ]


def data_record(data: Dataset) -> dict[str, Any]:
    """The same for machines."""
    from archdsl.training.data.dataset import told_of

    return {
        "data": data.name,
        "digest": data.digest,
        "channels": data.channels,
        "image_size": None if data.picture_sizes else list(data.image_size),
        "picture_sizes": [list(size) for size in data.picture_sizes or [data.image_size] * 2],
        "parts": {
            part: {"images": len(split), "from": data.sources[part]}
            for part, split in data.splits().items()
        },
        "classes": _classes(data),
        "notes": told_of(data),
    }
