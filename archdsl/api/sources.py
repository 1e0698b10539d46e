"""What notebooks hand in as a model, a study or a run profile, and how each is read."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeGuard

from pydantic import Field

from archdsl.arguments.kinds import instance, offering, several, where
from archdsl.document.merge import without_nulls
from archdsl.document.text import read_mapping
from archdsl.errors import ArgumentError
from archdsl.plan.baseline import TIMM, TimmName
from archdsl.plan.read import read_model, read_spec
from archdsl.searching.read import CheckedStudy, check_study, lay_over, read_study
from archdsl.spec.model import ModelSpec

if TYPE_CHECKING:
    from archdsl.nn.network import Network
    from archdsl.runners.profile import RunProfile

Document = str | Path | Mapping[str, Any]
"""A document: its name or path, or what it says."""

_WRITTEN = (str, Path, Mapping)


def is_network(value: object) -> TypeGuard[Network]:
    """Whether it is one of our networks, changed or not; imports nothing."""
    made = sys.modules.get("archdsl.nn.network")  # not imported: then there is none
    return made is not None and isinstance(value, made.Network)


DEFAULT_DB = "archdsl.db"
MODEL = where(
    lambda value: isinstance(value, (*_WRITTEN, ModelSpec)) or is_network(value),
    wanted="a model; give the name or path of a document, the document as a mapping, what "
    "archdsl.load made of it, or a network of archdsl.compile",
)
STUDY_DOCUMENT = instance(
    *_WRITTEN, wanted="a study document; give its name or path, or the document as a mapping"
)
STUDY = instance(
    *_WRITTEN,
    CheckedStudy,
    wanted="a study; give what archdsl.load_study or archdsl.study_around made, the name or path "
    "of its document, or the document as a mapping",
)
RUNNER = instance(
    *_WRITTEN, wanted="a run profile; give its name or path, or the document as a mapping"
)
SEED = Annotated[int, Field(ge=-(2**63), lt=2**64)]
"""What torch takes."""
SETS = several(wanted="settings; give path=value such as 'budget.trials=8', or a list of such")
OBJECTIVES = several(
    separator=",", wanted="names of objectives; give 'latency,top1', or a list of such"
)
RETRY = several(separator=",", wanted="ends of trials; give 'failed,timed_out', or a list of such")
DATA = instance(str, wanted="a source of images; give 'folder:DIR', 'npz:FILE' or 'digits'")
NAME = instance(str, wanted="the name of a study; give it as text, such as study.study.name")
OBSERVER = offering(
    wanted="an observer (archdsl.searching.loop.Observer)",
    on_start={"args": ["job"]},
    on_epoch={"args": ["job", "epoch", "name", "value"]},
    on_end={"args": ["job", "outcome"]},
)
SAMPLER = offering(
    wanted="a sampler (archdsl.searching.samplers)",
    propose={"args": ["space", "history"], "kwargs": ["number"]},
)


def trainee_of(
    source: Document | ModelSpec | Network, sets: Sequence[str] = ()
) -> ModelSpec | TimmName:
    """What is to be trained: `spec_of` a model, or the model of timm's that `timm:NAME` stands for.

    Args:
        source: see `spec_of`.
        sets: settings laid over a document; of a model of timm's `image.size=N` alone.

    Raises:
        NameNotFoundError: nothing there of that name, here or in timm.
        DocumentError: every problem of the document.
        ArgumentError: see `spec_of`; other settings of a model of timm's.
    """
    if not (isinstance(source, str) and source.startswith(TIMM)):
        return read_model(str(source), sets).spec if sets else spec_of(source)
    from archdsl.compiler.baseline import check_timm_name

    model, size = check_timm_name(source.removeprefix(TIMM)), None
    for each in sets:
        found = re.fullmatch(r"image\.size=\s*(?:(\d{1,5})|\[(\d{1,5}), ?(\d{1,5})\])\s*", each)
        if found is None or "0" in found.groups():
            raise ArgumentError(
                f"--set {each}: {source} is no document, and its classes and channels are those of "
                "the data; of it, image.size=N or image.size=[HEIGHT,WIDTH] can be set"
            )
        both, height, width = found.groups()
        size = (int(both or height), int(both or width))
    return TimmName(model=model, size=size)


def spec_of(source: Document | ModelSpec | Network) -> ModelSpec:
    """The document of a model.

    Raises:
        NameNotFoundError: nothing there of that name.
        DocumentError: every problem of the document.
        ArgumentError: a network that is no longer what a document says, or whose is not known.
    """
    if isinstance(source, (*_WRITTEN, ModelSpec)):
        return read_spec(source)
    from archdsl.compiler.plain import is_plain

    if source.spec is None:
        raise ArgumentError("this network was built from a plan, without a document; give that")
    if not is_plain(source):
        raise ArgumentError(
            f"this network is not what its document '{source.spec.name}' says: it was changed "
            "since it was compiled; give the document (network.spec), or one that says the change"
        )
    return source.spec


def study_of(source: Document | CheckedStudy, sets: Sequence[str] = ()) -> CheckedStudy:
    """A study, checked; a base that a mapping names is looked for in the current folder.

    Raises:
        NameNotFoundError: nothing there of that name.
        DocumentError: every problem found.
    """
    if isinstance(source, CheckedStudy):
        return source
    if isinstance(source, Mapping):
        laid = lay_over(read_mapping(source, source="study"), sets, folder=Path())
        return check_study(laid.whole(), folder=Path())
    return read_study(str(source), sets)


def profile_of(source: Document) -> RunProfile:
    """A run profile.

    Raises:
        NameNotFoundError: nothing there of that name.
        DocumentError: every problem found.
    """
    from archdsl.runners import read

    if isinstance(source, Mapping):
        return read.profile_of(without_nulls(read_mapping(source, source="runner")))
    return read.read_profile(str(source))
