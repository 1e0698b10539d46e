"""Measuring and comparing whatever a user hands in: what Python and the command line call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch

from archdsl.arguments import arguments
from archdsl.arguments.kinds import DB
from archdsl.compiler.optimize import Optimized
from archdsl.errors import ArchdslError, MeasureError, NotEnoughMemoryError
from archdsl.free_memory import lacks_memory
from archdsl.measuring.candidate import ImageShape
from archdsl.measuring.compare import Comparison, compare_latency
from archdsl.measuring.conditions import Conditions, MemoryConditions
from archdsl.measuring.devices import applied, find_device
from archdsl.measuring.given import MODEL, WORDS
from archdsl.measuring.latency import measure_latency
from archdsl.measuring.models import Source, Subject, resolve_all
from archdsl.measuring.peak_memory import measure_memory
from archdsl.measuring.prepare import target_of
from archdsl.measuring.settings import settings_of
from archdsl.nn.network import Network
from archdsl.plan.facts import facts
from archdsl.records import Measurement
from archdsl.store.rows import Architecture
from archdsl.store.store import open_store

Heads = Literal["all", "predicted"]
LONGEST_LABEL = 200
"""Of a module's label in a database."""


@arguments(model=MODEL, db=DB | None, **WORDS)
def measure(
    model: Source,
    *,
    image_shape: ImageShape | None = None,
    batch: int = 1,
    device: str | torch.device = "cpu",
    dtype: str | torch.dtype = "float32",
    threads: int | None = None,
    heads: Heads | None = None,
    max_seconds: float = 8.0,
    db: str | Path | None = None,
) -> Measurement:
    """The latency of a model: median of one batch in ms, with its 95 % interval and conditions.

    The device is locked for it: other trainings and measurements of archdsl on this host wait, and
    so do those of other threads of this process, for torch's thread count is one for all of them.

    Args:
        model: any `nn.Module` that takes images (batch, channels, height, width); a model document,
            its name, its path or what it says as a mapping; or `timm:NAME`. Of all but a module
            the weights are fresh.
        image_shape: (channels, height, width), where neither the document nor timm's configuration
            of the model tells.
        batch: images per call.
        device: `cpu`, `cuda`, a part of a GPU's name such as `A100`, or `any`; or a torch.device.
        dtype: `float32`, `bfloat16` or `float16`, or the torch.dtype, of weights and images.
        threads: of the CPU; torch's own number unless given.
        heads: run `all` classifiers or what the prediction needs (`predicted`); all, unless given,
            where the model has `forward_heads`.
        max_seconds: of timed calls, after which the result stands however precise it is.
        db: database to keep the measurement in: a path or URL, made where there is none.

    Raises:
        NameNotFoundError: no document or model of timm's of that name.
        DocumentError: every problem of the document.
        ArgumentError: every argument and condition that is wrong.
        DeviceError: the device is not there.
        MeasureError: nothing tells the shape of the images, the model fails on them, has no
            weights yet or cannot be copied, or it is to be kept and its document is not known.
        NotEnoughMemoryError: the model, or a call of it, does not fit.
        StoreError: the database cannot be opened or written.
    """
    conditions = conditions_of(
        batch=batch,
        device=device,
        dtype=dtype,
        threads=threads,
        heads=heads,
        max_seconds=max_seconds,
    )
    [subject] = resolve_all([model], image_shape=image_shape)
    if heads is None:
        conditions = with_common_heads(conditions, [subject])
    with keeping(subject, None if db is None else str(db)) as keep:
        found = measure_subject(subject, conditions)
        keep([found])
    return found


@arguments(a=MODEL, b=MODEL, **WORDS)
def compare(
    a: Source,
    b: Source,
    *,
    image_shape: ImageShape | None = None,
    batch: int = 1,
    device: str | torch.device = "cpu",
    dtype: str | torch.dtype = "float32",
    threads: int | None = None,
    heads: Heads | None = None,
    max_seconds: float = 8.0,
) -> Comparison:
    """Which of two models is faster: timed in turns, with the ratio and its 95 % interval.

    A module that no document describes is timed on images of its own shape, also where those of
    the other model are of another one; `image_shape` is for both.

    Args:
        a: as for `measure`; the verdict is about it.
        b: what it is compared with.
        image_shape: as for `measure`.
        batch: as for `measure`.
        device: as for `measure`.
        dtype: as for `measure`.
        threads: as for `measure`.
        heads: as for `measure`; all, unless given, where both models have `forward_heads`.
        max_seconds: of timed calls of each of the two.

    Raises:
        ArchdslError: as `measure`; names every model that is not found.
    """
    conditions = conditions_of(
        batch=batch,
        device=device,
        dtype=dtype,
        threads=threads,
        heads=heads,
        max_seconds=max_seconds,
    )
    subjects = resolve_all([a, b], image_shape=image_shape)
    if heads is None:
        conditions = with_common_heads(conditions, subjects)
    return compare_subjects(subjects, conditions)


def measure_subject(subject: Subject, conditions: Conditions) -> Measurement:
    """The latency of a resolved model.

    Raises:
        MeasureError: it fails on its images.
        NotEnoughMemoryError: it does not fit.
    """
    with _called([subject]):
        return measure_latency(
            subject.module, image_shape=subject.image_shape, conditions=conditions
        )


def measure_memory_of(
    subject: Subject, conditions: Conditions, *, fingerprint: Mapping[str, Any]
) -> Measurement:
    """The peak memory of a resolved model, under those conditions that change it."""
    shared = conditions.model_dump(include=set(MemoryConditions.model_fields))
    with _called([subject]):
        return measure_memory(
            subject.module,
            image_shape=subject.image_shape,
            conditions=MemoryConditions.model_validate(shared),
            fingerprint=fingerprint,
        )


def compare_subjects(subjects: Sequence[Subject], conditions: Conditions) -> Comparison:
    """Two resolved models against each other, each on images of its own shape.

    Raises:
        MeasureError: one fails on its images; both are documents, and of different images: that is
            most often a mistake, and a document can say another size.
    """
    a, b = subjects
    if a.kind == b.kind == "model" and a.image_shape != b.image_shape:
        raise MeasureError(
            f"{a.label} takes images {a.image_shape}, {b.label} {b.image_shape} (channels, height, "
            "width); only models of the same images can be compared: change image in one document"
        )
    with _called(subjects):
        return compare_latency(
            a.module,
            b.module,
            image_shape=a.image_shape,
            image_shape_b=b.image_shape,
            conditions=conditions,
        )


def optimized(subject: Subject, conditions: Conditions) -> Subject:
    """The same model rewritten for what it is measured under.

    Raises:
        DeviceError: the device is not there.
    """
    device = find_device(conditions.device)
    shape = subject.image_shape
    target = target_of(conditions, image_shape=shape, device=device)
    with applied(conditions, device):
        return replace(subject, module=Optimized(subject.module.eval(), target))


def conditions_of(**words: Any) -> Conditions:
    """The conditions that a user's words mean; None is as good as no word.

    Raises:
        StudyError: every word that is wrong.
    """
    given = {name: value for name, value in words.items() if value is not None}
    return settings_of(Conditions, given, "measure")


@contextmanager
def keeping(subject: Subject, db: str | None) -> Iterator[Callable[[Sequence[Measurement]], None]]:
    """What keeps measurements of a resolved model in a database, opened before they are made.

    Args:
        subject: that is measured.
        db: a path or URL, made where there is none; None: nothing is kept.

    Raises:
        StoreError: the database cannot be opened or written.
        MeasureError: a model's document is not known to it.
    """
    if db is None:
        yield lambda made: None
        return
    architecture = _architecture(subject)
    with open_store(db) as store:
        yield partial(store.measurements.add, architecture)


def _architecture(subject: Subject) -> Architecture:
    network = subject.module
    if subject.kind == "module" or not isinstance(network, Network):
        label = subject.label[:LONGEST_LABEL]
        return Architecture(arch_id=subject.identity, kind=subject.kind, label=label)
    if network.spec is None:
        raise MeasureError(
            f"{subject.label} was built from a plan, so its document cannot be kept beside its "
            "measurements; hand in the document, or archdsl.compile(document)"
        )
    plan = network.plan
    return Architecture(
        arch_id=plan.arch_id,
        spec=network.spec.document(),
        plan=plan.canonical(),
        facts=facts(plan),
    )


def with_common_heads(conditions: Conditions, subjects: Sequence[Subject]) -> Conditions:
    """The conditions with all classifiers where every model can run its own (`forward_heads`),
    else with those that predict."""
    able = (callable(getattr(each.module, "forward_heads", None)) for each in subjects)
    return conditions.model_copy(update={"heads": "all" if all(able) else "predicted"})


@contextmanager
def _called(subjects: Sequence[Subject]) -> Iterator[None]:
    """Errors of the modules as ours."""
    try:
        yield
    except (
        RuntimeError,
        AssertionError,
        ValueError,
        TypeError,
        LookupError,
        MemoryError,
    ) as error:
        if isinstance(error, ArchdslError):
            raise
        called = " or ".join(f"{each.label} on images {each.image_shape}" for each in subjects)
        first = str(error).strip().partition("\n")[0]
        if lacks_memory(error):
            raise NotEnoughMemoryError(
                f"{called} (channels, height, width) ran out of memory: {first}; measure a "
                "smaller batch, smaller images or a smaller network"
            ) from error
        raise MeasureError(
            f"{called} (channels, height, width) failed: {type(error).__name__}: {first}; "
            "if the images are of another shape, say image_shape"
        ) from error
