"""`archdsl init`: a first model and a first study for images, as documents to edit."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archdsl.cli.handling import handled
from archdsl.cli.options import Debug, Force, Json
from archdsl.cli.printing import print_json, put
from archdsl.cli.writing import write_files
from archdsl.document.tree import tree_of
from archdsl.document.write import to_yaml
from archdsl.errors import ArchdslError
from archdsl.plan.read import Checked, check_model
from archdsl.runners.data_probe import ANY_SIZE
from archdsl.runners.read import read_profile
from archdsl.training.read import read_recipe

if TYPE_CHECKING:
    from archdsl.training.data.dataset import Dataset

EXAMPLE = "Example: archdsl init --data folder:photos"
_IMAGES_PER_TRIAL = 60_000
"""That a trial of the study trains on: few epochs of many images, more of few."""
_EPOCHS = (5, 30)
_UNMIRRORED = "flip=0"
_WHY_MODEL = """\
# Two layers of wide tokens behind five convolutions whose widths double up to theirs: what came
# furthest in minutes on small pictures. specs/vittm-cifar.yaml, which it follows, came to 70.8 % of
# CIFAR-10's test pictures after 3,600 of them; behind patches, without the convolutions, 60.5 %
# (benchmarks/training.md). Tokens follow from the image size: near 64 of memory.
"""
_WHY_STUDY = """\
# Around the model: width and layers behind the convolutions, and a stem of three in place of five,
# which cost most of a call. Trained by the recipe `cifar`, which that model was measured with; grey
# pictures are not mirrored, as many are of signs.
"""


@handled
def command(
    data: Annotated[
        str,
        typer.Option(
            metavar="DATA",
            help="digits, folder:DIR, csv:FILE, npz:FILE, wds/PATH, hfds/PATH or a runner's name.",
        ),
    ],
    name: Annotated[
        str, typer.Option(metavar="NAME", help="Of the model, and of its file.")
    ] = "my-vittm",
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where to; else this folder.")
    ] = Path(),
    split_seed: Annotated[int, typer.Option(min=0, help="Of the parts that are cut.")] = 0,
    runner: Annotated[str, typer.Option(metavar="NAME", help="Run profile with names.")] = "local",
    force: Force = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write a first model that fits images, and a study of what lies around it.

    Image size, channels and classes are those of the data; tokens, depth and width follow from the
    size. Both are documents to edit.
    """
    from archdsl.searching.first_documents import are_small_pictures, fitting_model, fitting_size
    from archdsl.training.data.dataset import size_word, told_of

    if Path(name).name != name:
        raise ArchdslError(f"--name {name!r} names a folder too; give a plain name, and -o DIR")
    images = _open(data, runner, split_seed)
    size = fitting_size(*(images.picture_sizes or (images.image_size, images.image_size)))
    document = fitting_model(
        name, image_size=size, channels=images.channels, num_classes=images.num_classes
    )
    model = check_model(tree_of(document, source=name))
    study = _study(model, document, images)
    pictures = are_small_pictures(size)
    contents = {
        output / f"{name}.yaml": _text(document, _WHY_MODEL if pictures else ""),
        output / f"{name}-study.yaml": _text(study, _WHY_STUDY if pictures else ""),
    }
    write_files(contents, force=force, folder=output)
    model_file, study_file = map(str, contents)
    if as_json:
        print_json(
            {
                "model": model_file,
                "study": study_file,
                "document": document,
                "notes": told_of(images),
            }
        )
        return
    if images.picture_sizes:
        put(f"pictures are brought to {size_word(size)} pixels; image.size says otherwise")
    for remark in told_of(images):
        put(f"note: {remark}")
    put(f"wrote {model_file} and {study_file}; go on with")
    source, model_word, study_word = map(shlex.quote, (data, model_file, study_file))
    put(f"  archdsl show {model_word}")
    recipe = " --recipe cifar" if pictures else ""
    unmirrored = f" --set {_UNMIRRORED}" if pictures and images.channels == 1 else ""
    words = f"--data {source}{recipe}{unmirrored} -o runs/{shlex.quote(name)}"
    put(f"  archdsl train {model_word} {words}")
    put(f"  archdsl search {study_word} --dry-run")


def _open(source: str, runner: str, split_seed: int) -> Dataset:
    from archdsl.training.data.dataset import MixedSizesError
    from archdsl.training.data.source import open_data

    names = read_profile(runner).data
    try:
        return open_data(source, names=names, split_seed=split_seed)
    except MixedSizesError:
        return open_data(source, names=names, split_seed=split_seed, image_size=ANY_SIZE)


def _text(document: dict[str, Any], why: str) -> bytes:
    return (why + to_yaml(document)).encode()


def _study(model: Checked, document: dict[str, Any], images: Dataset) -> dict[str, Any]:
    from archdsl.searching.around import neighbourhood_document
    from archdsl.searching.first_documents import are_small_pictures, space_of_pictures

    study = neighbourhood_document(model, base=f"{model.spec.name}.yaml", data=images.name)
    study["name"] = f"{model.spec.name}-study"
    least, most = _EPOCHS
    epochs = max(least, min(most, _IMAGES_PER_TRIAL // len(images.train)))
    study["evaluate"]["top1"]["epochs"] = epochs
    if are_small_pictures(model.spec.image.size):
        study["space"] = space_of_pictures(study["space"], document)
        study["evaluate"]["top1"]["recipe"] = (
            read_recipe("cifar", [_UNMIRRORED]).model_dump(mode="json", exclude_defaults=True)
            if images.channels == 1
            else "cifar"
        )
    return study
