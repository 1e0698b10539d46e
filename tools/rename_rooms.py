"""Move rooms and rename roles, once: modules by path, names where they are defined and imported.

Run at the top of the repository. A second run changes nothing.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

# Old module or package -> new; the longest match wins.
MODULES = {
    "lease": "device_lock",
    "measure": "measuring",
    "measure.statistics": "analysis.statistics",
    "measure.parts": "measuring.time_breakdown",
    "measure.together": "measuring.interleaved",
    "measure.watch": "measuring.interference",
    "train": "training",
    "train.depot": "storage.remote",
    "search": "searching",
    "search.objectives": "objectives",
    "search.holes": "space.holes",
    "search.deciders": "space.deciders",
    "search.space": "space.space",
    "search.neighbourhood": "space.neighbourhood",
    "search.difference": "space.difference",
    "search.apart": "analysis.indistinguishable",
    "search.pool": "analysis.aggregate",
    "search.survival": "analysis.transfer",
    "search.hypervolume": "analysis.hypervolume",
    "search.importance": "analysis.importance",
    "search.choices": "analysis.choices",
    "search.again": "searching.remeasure",
    "search.settle": "searching.replicate",
    "search.final": "searching.test_score",
    "report": "reporting",
    "report.paper": "reproduction",
    "report.words": "reporting.wording",
    "runners.seat": "runners.slot",
    "runners.followed": "runners.threaded_slot",
    "runners.bench": "runners.ray.slot",
    "runners.desk": "runners.ray.dispatcher",
    "runners.cluster": "runners.ray.resources",
    "runners.opened": "runners.data_probe",
    "runners.marker": "runners.shared_storage_check",
    "runners.rehearsal": "runners.memory_preflight",
    "runners.protocols": "runners.interfaces",
    "runners.worker": "runners.evaluation",
    "store.glance": "store.snapshot",
    "store.presence": "store.liveness",
    "plan.doubt": "plan.partial_validation",
}

# Old module -> old name -> new name.
NAMES = {
    "lease": {
        "LeaseError": "DeviceLockError",
        "SharedLease": "SharedDeviceLock",
        "lease_folder": "lock_folder",
    },
    "measure.devices": {"leased": "locked"},
    "measure.watch": {"Watch": "InterferenceMonitor"},
    "measure.latency": {"watch_of": "monitor_of"},
    "train.device": {"lease_names": "lock_names"},
    "train.depot": {"Depot": "RemoteFolder"},
    "document.tree": {"Path": "KeyPath"},
    "spec.rules": {"Path": "KeyPath"},
    "runners.seat": {"Seat": "WorkerSlot"},
    "runners.followed": {"FollowedSeat": "ThreadedSlot"},
    "runners.bench": {
        "Bench": "RaySlot",
        "Orders": "WorkerConfig",
        "Told": "SlotEvent",
        "Parts": "PackedError",
    },
    "runners.desk": {"Desk": "Dispatcher"},
    "runners.worker": {"Report": "OnReport", "Measured": "OnMeasurement"},
    "runners.opened": {"Opened": "DataProbe", "open_all": "probe_data"},
    "runners.rehearsal": {"Rehearse": "Preflight", "make_rehearsal": "make_preflight"},
    "measure.accuracy": {"Report": "OnReport"},
    "store.presence": {"Presence": "Liveness"},
    "store.rows": {"Study": "StudyRow", "Glance": "StudySnapshot"},
    "search.again": {"Again": "Remeasurer"},
    "search.settle": {"Settled": "Replicated", "Purchase": "Replicate", "Watch": "OnReplicate",
                      "Bill": "ReplicationCost", "Words": "Settings"},
    "search.survival": {"Survival": "FrontTransfer"},
    "search.run": {"Finished": "SearchResult"},
    "search.pool": {"pooled": "aggregated"},
    "store.samples": {"Pool": "Aggregate"},
}

# Moved tests: old path below tests/ -> new; a folder moves what is left in it.
TESTS = {
    "measure/test_statistics.py": "analysis/test_statistics.py",
    "measure/test_lease.py": "test_device_lock.py",
    "measure/lease_process.py": "device_lock_process.py",
    "measure/test_parts.py": "measuring/test_time_breakdown.py",
    "measure/test_together.py": "measuring/test_interleaved.py",
    "measure/test_watch.py": "measuring/test_interference.py",
    "measure": "measuring",
    "train/test_depot.py": "storage/test_remote.py",
    "train/test_parts.py": "training/test_components.py",
    "train/test_giving_way.py": "training/test_yielding_the_device.py",
    "train": "training",
    "search/test_apart.py": "analysis/test_indistinguishable.py",
    "search/test_pool.py": "analysis/test_aggregate.py",
    "search/test_settle.py": "searching/test_replicate.py",
    "search/test_neighbourhood_of_heads.py": "space/test_neighbourhood_of_heads.py",
    "search": "searching",
    "report/paper": "reproduction",
    "report/pages/test_telling.py": "reporting/pages/test_uncertainty_and_endings.py",
    "report/pages/test_html.py": "reporting/pages/test_front_page.py",
    "report": "reporting",
    "runners/test_desk.py": "runners/ray/test_dispatcher.py",
    "runners/test_cluster.py": "runners/ray/test_resources.py",
    "runners/test_rehearsal.py": "runners/test_memory_preflight.py",
    "runners/test_worker.py": "runners/test_evaluation.py",
    "runners/test_waiting.py": "runners/test_waiting_for_the_device.py",
    "runners/test_ray.py": "runners/ray/test_runner.py",
    "runners/test_ray_cluster.py": "runners/ray/test_two_nodes.py",
    "runners/test_ray_killed.py": "runners/ray/test_killed.py",
    "runners/test_ray_token.py": "runners/ray/test_token.py",
    "store/test_glance.py": "store/test_snapshot.py",
    "store/test_presence.py": "store/test_liveness.py",
    "plan/test_together.py": "plan/test_parallel_and_shared_words.py",
    "plan/test_new_words.py": "plan/test_words_of_related_models.py",
    "nn/test_more_heads.py": "nn/test_heads_of_vittm.py",
    "nn/test_source_heads.py": "nn/test_heads_of_related_models.py",
    "nn/test_parts.py": "nn/test_embeds_blocks_classifier.py",
}
TEXTS = (".py", ".md", ".toml", ".yaml", ".yml", ".sh")


def git(*words: str) -> str:
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout


def tracked() -> list[Path]:
    return [Path(name) for name in git("ls-files").splitlines() if Path(name).is_file()]


def dotted(path: Path) -> str:
    name = ".".join(path.with_suffix("").parts[1:])
    return name.removesuffix(".__init__") if name != "__init__" else ""


def new_module(old: str) -> str:
    parts = old.split(".")
    for size in range(len(parts), 0, -1):
        head = ".".join(parts[:size])
        if head in MODULES:
            return ".".join([MODULES[head], *parts[size:]])
    return old


def module_renames() -> dict[str, str]:
    """Every module of the package as it stands, and where it goes."""
    here = {dotted(p) for p in tracked() if p.parts[0] == "archdsl" and p.suffix == ".py"}
    return {old: new_module(old) for old in here if old}


def rename_names(path: Path, text: str, old_module: str | None, moves: dict[str, str]) -> str:
    renames: dict[str, str] = {}
    if old_module is not None:
        renames |= NAMES.get(old_module, {})
    for module, names in NAMES.items():
        for found in re.finditer(
            rf"from archdsl\.{re.escape(module)} import (\([^)]*\)|[^\n]+)", text
        ):
            listed = found.group(1)
            for old, new in names.items():
                aliased = re.search(rf"\b{old} as (\w+)", listed)
                if aliased:
                    text = text.replace(f"{old} as {aliased.group(1)}", f"{new} as {aliased.group(1)}")
                elif re.search(rf"\b{old}\b", listed):
                    renames[old] = new
    for old, new in renames.items():
        # Not attributes, keyword arguments of the same spelling or parts of words.
        text = re.sub(rf"(?<![\w.]){old}(?![\w=])", new, text)
    # `from x import A as A`
    return re.sub(r"\b(\w+) as \1\b", r"\1", text)


def rename_modules(text: str, moves: dict[str, str]) -> str:
    for old in sorted(MODULES, key=len, reverse=True):
        text = re.sub(rf"\barchdsl\.{re.escape(old)}(?![\w@])", f"archdsl.{MODULES[old]}@@", text)
    text = text.replace("@@", "")

    def split(found: re.Match[str]) -> str:
        """`from archdsl.search import holes`: a module that went elsewhere than its room."""
        indent, room, listed = found.groups()
        old_room = next((o for o, n in MODULES.items() if n == room and "." not in o), room)
        lines: dict[str, list[str]] = {}
        for name in [each.strip() for each in listed.split(",")]:
            moved = moves.get(f"{old_room}.{name}")
            target = moved or f"{room}.{name}"
            lines.setdefault(target.rpartition(".")[0], []).append(target.rpartition(".")[2])
        return "\n".join(
            f"{indent}from archdsl.{room} import {', '.join(names)}"
            for room, names in lines.items()
        )

    return re.sub(r"(?m)^( *)from archdsl\.(\w+) import ([a-z_, ]+)$", split, text)


def move(source: Path, target: Path) -> None:
    if source == target or not source.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    git("mv", str(source), str(target))


def main() -> None:
    moves = module_renames()
    for path in tracked():
        if path.suffix not in TEXTS or path.parts[0] in ("specs",):
            continue
        text = before = path.read_text(encoding="utf-8")
        inside = path.parts[0] == "archdsl" and path.suffix == ".py"
        if path.suffix == ".py":
            text = rename_names(path, text, dotted(path) if inside else None, moves)
        if path.suffix in (".py", ".md", ".toml"):
            text = rename_modules(text, moves)
        if text != before:
            path.write_text(text, encoding="utf-8")
    for old, new in sorted(moves.items(), key=lambda each: -len(each[0])):
        source, target = (Path("archdsl", *name.split(".")) for name in (old, new))
        if source.with_suffix(".py").is_file():
            move(source.with_suffix(".py"), target.with_suffix(".py"))
        elif (source / "__init__.py").is_file():
            move(source / "__init__.py", target / "__init__.py")
    for old, new in TESTS.items():
        source, target = Path("tests", old), Path("tests", new)
        if source.is_file():
            move(source, target)
        elif source.is_dir():
            for path in sorted(p for p in tracked() if source in p.parents):
                move(path, target / path.relative_to(source))


if __name__ == "__main__":
    main()
