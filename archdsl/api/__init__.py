"""What notebooks call: each function here is what the command line does, without its words.

Nothing is printed, no signal is handled, and torch is imported when something needs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from archdsl.api.results import Front
from archdsl.api.sources import (
    DATA,
    DEFAULT_DB,
    MODEL,
    NAME,
    OBJECTIVES,
    OBSERVER,
    RETRY,
    RUNNER,
    SAMPLER,
    SEED,
    SETS,
    STUDY,
    STUDY_DOCUMENT,
    Document,
    is_network,
    profile_of,
    spec_of,
    study_of,
)
from archdsl.arguments import arguments
from archdsl.arguments.kinds import DB
from archdsl.errors import StudyError
from archdsl.metrics import trained_metric
from archdsl.plan.expand import expand
from archdsl.spec.model import ModelSpec

if TYPE_CHECKING:
    from archdsl.measuring.count import Count
    from archdsl.nn.network import Network
    from archdsl.searching.loop import Observer
    from archdsl.searching.read import CheckedStudy
    from archdsl.searching.run import SearchResult
    from archdsl.searching.samplers import Sampler


@arguments(source=MODEL)
def load(source: Document | ModelSpec | Network) -> ModelSpec:
    """Read a model document and check it whole.

    Args:
        source: a file, the name of a document on the `specs/` shelf, or the document itself as a
            mapping; of a compiled network, its document.

    Raises:
        NameNotFoundError: nothing there of that name.
        DocumentError: every problem of the document, each with file:line:column.
        ArgumentError: no document, as of every function here.
    """
    return spec_of(source)


@arguments(spec=MODEL, seed=SEED | None)
def compile(spec: Document | ModelSpec | Network, *, seed: int | None = None) -> Network:
    """Build the PyTorch module of a document, with fresh weights.

    Args:
        spec: as for `load`.
        seed: of the weights, which leaves torch's global seed as it is; they are drawn from the
            global one unless given.

    Raises:
        NameNotFoundError: nothing there of that name.
        DocumentError: every problem of the document.
        InvalidSpecError: the parts of `spec` do not fit together.
    """
    from archdsl.compiler.build import build

    return build(spec_of(spec), seed=seed)


@arguments(spec=MODEL)
def count(spec: Document | ModelSpec | Network) -> Count:
    """Parameters and multiply-adds of a document, exactly, by one traced pass without weights.

    Args:
        spec: as for `load`; a network that was changed since it was compiled is counted as it is.

    Returns:
        `params` that the forward pass uses and `params_allocated`; for one image `macs`, and
        `macs_fvcore` in the convention of fvcore, which leaves fused attention out.

    Raises:
        NameNotFoundError: nothing there of that name.
        DocumentError: every problem of the document.
        InvalidSpecError: the parts of `spec` do not fit together.
    """
    from archdsl.measuring.count import count as counted

    return counted(spec if is_network(spec) else expand(spec_of(spec)))


@arguments(source=STUDY_DOCUMENT, sets=SETS)
def load_study(source: Document, *, sets: str | Sequence[str] = ()) -> CheckedStudy:
    """Read a study document and check every option of its space.

    Args:
        source: a file, the name of a document on the `search/` shelf, or the document itself as a
            mapping.
        sets: settings laid over it, such as `evaluate.top1.epochs=2`.

    Raises:
        NameNotFoundError: nothing there of that name.
        DocumentError: every problem found, each with the file it is in.
    """
    return study_of(source, sets)


@arguments(spec=MODEL, objectives=OBJECTIVES, data=DATA | None)
def study_around(
    spec: Document | ModelSpec | Network,
    *,
    objectives: str | Sequence[str] = ("latency", "top1"),
    data: str | None = None,
) -> CheckedStudy:
    """A study of the neighbourhood of a model: its depth, widths, token counts, heads.

    Args:
        spec: the base, as for `load`.
        objectives: what is minimised or maximised, each as is good for it.
        data: the images to train on: `digits`, `folder:DIR`, `csv:FILE`, `npz:FILE`, `wds/PATH` or
            `hfds/PATH`.

    Raises:
        NameNotFoundError: nothing there of that name.
        DocumentError: every problem of the document.
        StudyError: an unknown objective, or no data to train on.
    """
    from archdsl.searching.around import checked_study_around

    trained = trained_metric(objectives)
    if trained is not None and data is None:
        raise StudyError(
            f"{trained} is measured on images; say which: data='folder:DIR', data='npz:FILE' or "
            "data='digits', or leave it out of objectives"
        )
    base = spec if isinstance(spec, str | Path) else spec_of(spec)
    return checked_study_around(base, objectives=objectives, data=data)


@arguments(
    study=STUDY,
    db=DB,
    trials=int | None,
    runner=RUNNER,
    any_device=bool,
    observer=OBSERVER | None,
    sampler=SAMPLER | None,
    retry=RETRY,
)
def search(
    study: Document | CheckedStudy,
    *,
    db: str | Path = DEFAULT_DB,
    trials: int | None = None,
    runner: Document = "local",
    any_device: bool = False,
    observer: Observer | None = None,
    sampler: Sampler | None = None,
    retry: str | Sequence[str] = (),
) -> SearchResult:
    """Search for the Pareto front: start, resume or find complete, as `archdsl search` does.

    Candidates are measured and trained in processes of their own. Whatever ends the search early,
    an interrupt or any exception, what is finished is stored, and the same call goes on.

    Args:
        study: of `load_study` or `study_around`, or what `load_study` takes.
        db: path or URL of the database, made where there is none.
        trials: total budget, earlier searches included, in place of the study's; its hours stand.
        runner: name or path of a run profile, or the document itself as a mapping.
        any_device: measure latency on whatever device is here, instead of only the one asked for.
        observer: told of every step.
        sampler: proposes candidates, in place of the one that the study names; see
            `archdsl.searching.samplers`.
        retry: ends of trials that another place might change, and which are tried again: some of
            `failed`, `out_of_memory`, `timed_out` and `crashed`.

    Returns:
        How many trials this call ran, and why it ended before its budget, if it did.

    Raises:
        StudyError: the study cannot go on as it is, its base cannot be evaluated here, or it is
            being searched in this process already.
        SpaceExhaustedError: no candidate keeps the constraints.
        ArchdslError: data or devices that are not there, a store that cannot be written.
    """
    from archdsl.searching.retry import retried_states
    from archdsl.searching.run import run_search, watched_by

    checked = study_of(study)
    return run_search(
        checked if trials is None else _with_budget(checked, trials),
        db=str(db),
        profile=profile_of(runner),
        observe=watched_by(observer),
        any_device=any_device,
        sampler=sampler,
        retry=retried_states(retry),
    )


@arguments(db=DB, study=NAME | None, robust=bool)
def front(db: str | Path = DEFAULT_DB, *, study: str | None = None, robust: bool = False) -> Front:
    """The Pareto front of a study, as it is now.

    Args:
        db: path or URL of the database.
        study: its name; not needed where the database holds one study.
        robust: the robust front: its members, and what cannot be told apart from one of them.

    Raises:
        StudyError: no such study, none at all, or several and no name.
        StoreError: there is no such database, or it cannot be read.
    """
    from archdsl.reporting.front import read_front
    from archdsl.searching.stored import find_study
    from archdsl.store.store import open_store

    with open_store(str(db), create=False, read_only=True) as store:
        row = find_study(store, study, option=lambda name: f"study={name!r}")
        return Front(read_front(store, row), robust=robust, folder=store.folder)


def _with_budget(checked: CheckedStudy, trials: int) -> CheckedStudy:
    from archdsl.searching.study import Budget

    most = 10_000_000
    if not 1 <= trials <= most:
        raise StudyError(f"trials is {trials}; a budget is 1 to {most} trials")
    budget = Budget(trials=trials, hours=checked.study.budget.hours)
    return replace(checked, study=checked.study.model_copy(update={"budget": budget}))
