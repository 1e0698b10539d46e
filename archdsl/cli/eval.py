"""`archdsl eval`: a trained network beside labelled images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from archdsl.cli.handling import handled
from archdsl.cli.options import Debug, Force, Json
from archdsl.cli.printing import print_json, print_table, put, say
from archdsl.cli.writing import refuse_unmarked
from archdsl.document.messages import counted
from archdsl.errors import DataError
from archdsl.usable_cores import usable_cores

if TYPE_CHECKING:
    from archdsl.training.bundle import Bundle
    from archdsl.training.data.dataset import Dataset
    from archdsl.training.scoring import Scored

EXAMPLE = "Example: archdsl eval runs/digits --data digits"
MOST_PAIRS = 10
MOST_MISTAKES = 60
Part = Literal["train", "validation", "test", "all"]


@handled
def command(
    bundle: Annotated[
        Path, typer.Argument(metavar="BUNDLE", help="Folder of a training, or its bundle.")
    ],
    data: Annotated[
        str,
        typer.Option(
            metavar="DATA",
            help="digits, folder:DIR, csv:FILE, npz:FILE, wds/PATH, hfds/PATH or torch/NAME:DIR.",
        ),
    ],
    part: Annotated[
        Part | None,
        typer.Option(help="Which images; else test, or validation where there is no test part."),
    ] = None,
    device: Annotated[
        str, typer.Option(metavar="NAME", help="cpu, cuda, or auto: a GPU where there is one.")
    ] = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Of the processors, at most; else all.")
    ] = None,
    mistakes: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help=f"The {MOST_MISTAKES} surest mistakes as a page."),
    ] = None,
    force: Force = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Score a trained network on labelled images: top-1, top-5, each class, calibration.

    Classes are compared by name, whatever their order. Parts that the data do not bring along are
    cut as they were for the training.
    """
    from archdsl.training.bundle import load_bundle
    from archdsl.training.data.source import open_data
    from archdsl.training.device import choose_device, cpu_threads
    from archdsl.training.read import resolve_recipe
    from archdsl.training.scoring import score, told_of_scores

    if mistakes:
        refuse_unmarked([mistakes], force=force)
    network, chosen = load_bundle(bundle), choose_device(device)
    training = network.training
    with cpu_threads(threads or usable_cores()):
        dataset = open_data(
            data,
            split_seed=training["split_seed"],
            image_size=network.reading.image_size,
            crop_pct=network.reading.crop_pct,
            uncut=part == "all",
        )
        parts = _parts(dataset, part)
        found = score(
            network.network,
            network.reading,
            dataset,
            parts,
            device=chosen,
            batch=resolve_recipe(training["recipe"]).images_at_once,
            mistakes=MOST_MISTAKES if mistakes else 0,
        )
    if mistakes:
        _write_mistakes(mistakes, found, network, f"{dataset.name} ({', '.join(parts)})")
    trained_on = dataset.digest == training["data"]["digest"]
    if as_json:
        told = {part: dataset.sources[part] for part in parts}
        about = {"data": dataset.name, "digest": dataset.digest, "trained_on": trained_on}
        print_json({**about, "parts": told, **told_of_scores(found, network.class_names)})
        return
    of = "the data it was trained on" if trained_on else "not the data it was trained on"
    put(f"scored on  {', '.join(f'{each} ({dataset.sources[each]})' for each in parts)}")
    put(f"data       {dataset.name}, {of}")
    if part is None and not trained_on:
        say("--part all scores all images of these data, whatever part they are in")
    if dataset.class_names != network.class_names:
        say(
            f"classes are matched by name: {dataset.num_classes} of the network's "
            f"{len(network.class_names)}"
        )
    _put(found, network)
    if mistakes:
        put(f"mistakes  {mistakes}")


def _write_mistakes(path: Path, found: Scored, network: Bundle, scored_on: str) -> None:
    from archdsl.reporting.pages.mistakes_page import write_mistakes

    wrong = found.images - found.correct
    note = (
        f"{counted(wrong, 'mistake')} in {counted(found.images, 'image')} of {scored_on}; shown "
        f"are the {len(found.mistakes)} that the network was surest of, and in brackets the "
        "probabilities that it gave"
    )
    title = f"Mistakes of {network.spec.name}"
    write_mistakes(path, found.mistakes, network.class_names, title=title, note=note)


def _parts(dataset: Dataset, part: Part | None) -> list[str]:
    """The parts to score.

    Raises:
        DataError: there is no such part.
    """
    there = [name for name, split in dataset.splits().items() if len(split)]
    if part == "all":
        return there
    wanted = part or ("test" if "test" in there else "validation")
    if wanted not in there:
        raise DataError(f"{dataset.name} has no {wanted} part; it has {', '.join(there)}")
    return [wanted]


def _put(found: Scored, network: Bundle) -> None:
    from archdsl.training.scoring import BINS, LIKELIEST, NOTHING

    names: dict[int, Any] = {**dict(enumerate(network.class_names)), NOTHING: "nothing (NaN)"}
    images = counted(found.images, "image")
    shares = {"top-1": found.correct}
    if found.classes > LIKELIEST:  # with fewer it says nothing
        shares["top-5"] = found.correct_of_five
    for name, count in shares.items():
        share = found.share(count)
        put(
            f"{name:<10} {share['value']:.2f} % ({share['low']:.2f} to {share['high']:.2f}): "
            f"{count:,} of {images}"
        )
    put(
        f"calibration error {found.calibration_error:.2f} % (ECE, {BINS} bins of equal width over "
        "the probability of the likeliest class)"
    )
    put()
    rows = [
        [name, str(row["images"]), str(row["correct"]), *map(_percent, list(row.values())[3:])]
        for name, row in zip(network.class_names, found.per_class(), strict=True)
    ]
    print_table(["class", "images", "correct", "recall", "precision", "F1"], rows)
    mixed = found.mixed_up()
    if mixed:
        put()
        print_table(
            ["class", "taken for", "images"],
            [[names[a], names[b], str(count)] for a, b, count in mixed[:MOST_PAIRS]],
            title=f"mixed up most often, of {counted(len(mixed), 'pair')}",
        )


def _percent(value: float | int | None) -> str:
    return "" if value is None else f"{value:.1f}"
