"""What is seen to before a search: the runner, whether the study can run, what it holds already."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from archdsl.document.tree import Scalar
from archdsl.errors import StudyError
from archdsl.identity import differences, digest
from archdsl.plan.baseline import TIMM, Baseline
from archdsl.plan.read import Checked
from archdsl.records import Job
from archdsl.runners.interfaces import Bound, Runner
from archdsl.runners.make import make_runner
from archdsl.runners.profile import RunProfile
from archdsl.searching.read import CheckedStudy
from archdsl.space.deciders import FirstOption
from archdsl.spec.model import ModelSpec
from archdsl.store.rows import StudyRow
from archdsl.store.store import Store
from archdsl.training.read import resolve_recipe


def runner_of(checked: CheckedStudy, profile: RunProfile, *, any_device: bool) -> Runner:
    """The runner of a profile, ready for what the study measures."""
    bounds = [
        Bound(quantity=c.left, operator="<=" if c.operator == "<=" else ">=", limit=float(c.right))
        for c in checked.study.parsed_constraints()
        if c.measured
    ]
    evaluate = evaluate_here(checked, any_device=any_device)
    return make_runner(profile, evaluate=evaluate, bounds=bounds)


def evaluate_here(checked: CheckedStudy, *, any_device: bool) -> dict[str, dict[str, Any]]:
    """What a study says of measuring each quantity; see `settings_here`."""
    written: dict[str, dict[str, Any]] = checked.study.evaluate.model_dump(
        mode="json", exclude_none=True
    )
    return {
        name: settings_here(settings, spec=lambda: first_model(checked).spec, any_device=any_device)
        for name, settings in written.items()
    }


def settings_here(
    settings: Mapping[str, Any], *, spec: Callable[[], ModelSpec], any_device: bool
) -> dict[str, Any]:
    """What a study says of measuring a quantity, with what it leaves open.

    Args:
        settings: the study's.
        spec: the model whose image size holds where data of no stated size are trained on:
            pictures of mixed sizes need one before any candidate is known.
        any_device: measure on whatever device is here, instead of only the one asked for.
    """
    found = dict(settings)
    if "data" in found:
        found.setdefault("image_size", list(spec().image.size))
    if isinstance(found.get("recipe"), str):
        # Its words: other machines are sent the code, but not the shelf.
        found["recipe"] = resolve_recipe(found["recipe"]).model_dump(mode="json")
    if any_device and "device" in found:
        found["device"] = "any"
    return found


def first_model(checked: CheckedStudy) -> Checked:
    """The base, or without one the first candidate: what images the study is about."""
    return checked.space.base_candidate() or checked.space.walk(FirstOption({})).model


def check_runs(
    checked: CheckedStudy, runner: Runner
) -> tuple[Mapping[str, Mapping[str, Any]], Sequence[str]]:
    """Refuse a study that cannot run before anything is paid for; twice costs no more than once.

    Returns:
        Quantity to protocol of each evaluator, see `Runner.protocols`; and what a person should
        know, see `Runner.check`.

    Raises:
        ArchdslError: devices, data or a storage that are not there, data that do not fit.
    """
    protocols, said = runner.protocols(), runner.check(job_to_check(checked))
    for baseline in baselines_of(checked):
        runner.check(job_of_baseline(baseline))
    return protocols, said


def baselines_of(checked: CheckedStudy) -> list[Baseline]:
    """The baselines of a study, for the images and classes of its base.

    Raises:
        WeightsError: weights that one begins with cannot be read.
    """
    if not checked.study.baselines:
        return []
    spec = first_model(checked).spec
    found = []
    for each in checked.study.baselines:
        name, init = (each, "") if isinstance(each, str) else (each.model, each.init)
        begun_with = ""
        if init:
            # Only here: the others need no torch.
            from archdsl.training.bundle import begun_with_of, read_start

            begun_with = begun_with_of(read_start(Path(init)))
        found.append(
            Baseline(
                model=name.removeprefix(TIMM).partition(".")[0],
                image=(spec.image.channels, *spec.image.size),
                num_classes=spec.output.num_classes,
                init=init,
                begun_with=begun_with,
            )
        )
    return found


def job_of_baseline(baseline: Baseline, *, folder: str = "") -> Job:
    """A baseline as a worker gets it."""
    return Job(
        trial_id=0,
        number=0,
        arch_id=baseline.arch_id,
        spec=baseline.document(),
        params={},
        known=(),
        folder=folder,
    )


def job_to_check(checked: CheckedStudy) -> Job:
    """What a runner is asked about before a search."""
    holes = tuple(hole.name for hole in checked.space.holes())
    return replace(job_of_model(first_model(checked)), holes=holes)


def job_of_model(
    model: Checked,
    params: Mapping[str, Scalar] = MappingProxyType({}),
    *,
    also: Mapping[str, Scalar] = MappingProxyType({}),
) -> Job:
    """A model that is no trial's, as a worker gets it; see `Job`."""
    return Job(
        trial_id=0,
        number=0,
        arch_id=model.plan.arch_id,
        spec=model.spec.document(),
        params=dict(params),
        known=(),
        folder="",
        also=dict(also),
    )


def refuse_others(row: StudyRow, store: Store, protocols: Mapping[str, Mapping[str, Any]]) -> None:
    """One study never compares values from two devices, two versions of the data, …

    Raises:
        StudyError: its complete trials hold a quantity under another protocol.
    """
    for quantity, protocol in protocols.items():
        other = store.measurements.foreign_protocol(
            study_id=row.id, quantity=quantity, key=digest(dict(protocol))
        )
        if other is not None:
            raise measured_otherwise(
                row.name,
                quantity,
                other,
                protocol,
                remedy="values that were measured differently are never compared; search under "
                "another name (--set name=…) or in another database (--db), or restore what "
                "changed",
            )


def measured_otherwise(
    study: str, quantity: str, then: Mapping[str, Any], now: Mapping[str, Any], *, remedy: str
) -> StudyError:
    """The refusal of a quantity that a study holds under another protocol.

    Args:
        study: its name.
        quantity: that is about to be measured.
        then: the protocol of the study's values.
        now: the protocol of this place.
        remedy: what to do.
    """
    lines = "\n".join(
        f"  {'.'.join(path)}: {before} then, {after} now"
        for path, before, after in differences(then, now)
    )
    return StudyError(
        f"the study '{study}' holds {quantity} measured otherwise than now:\n{lines}\n{remedy}"
    )
