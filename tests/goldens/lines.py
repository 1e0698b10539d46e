"""What is asked of the command line in the goldens; `make.py` keeps it beside the answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from documents import described
from studies import TABULAR

COMMANDS = (
    "archdsl", "check", "compile", "measure", "search", "watch", "front", "show", "export",
    "report", "reproduce", "schema", "doctor",
)  # fmt: skip

TABLE = """\
depth,process.dim,latency,latency_low,latency_high,top1,test_top1
,,2,1.9,2.1,60,59
1,32,0.5,0.5,0.5,40,39
1,64,1,1,1,50,48
2,32,1.5,1.5,1.5,45,44
3,32,3,3,3,55,54
3,64,3.5,3.4,3.6,66,64
4,32,4,4,4,58,57
4,64,5,5,5,70,68
2,64,2.5,2.5,2.5,52,51
"""
BROKEN = """\
archdsl: 1
name: broken
image: {size: 8, chanels: 1}
depth: 0
process:
  embed: {type: patch, patch_size: 3}
  dim: 16
  block: {type: transfomer, head_dim: 5}
memory:
  embed: {type: patch}
exchange:
  read: {type: linear_attention, latent_ratio: 0.3}
output: {num_classes: ten, predict: memory}
"""
BROKEN_STUDY = """\
archdsl: 1
kind: study
name: broken
base: vittm-digit
space: {depth: {choose: []}, proces: {dim: {choose: [32, 33]}}}
constraints: [params_m <= 1, latency <= 5]
objectives: {latency: minimize, accuracy: maximize}
evaluate: {latency: {device: cpu, batch: 0}}
budget: {trials: 0}
sampler: {type: tp}
"""
FILES: Mapping[str, str] = {
    "values.csv": TABLE,
    "study.yaml": json.dumps({**TABULAR, "reference": {"latency": "10ms", "top1": 10}}, indent=1),
    "lookup.yaml": json.dumps(described()["lookup"], indent=1),
    "broken.yaml": BROKEN,
    "broken-study.yaml": BROKEN_STUDY,
    "torn.yaml": "archdsl: [1\nname: x\n",
    "profile.yaml": "archdsl: 1\nkind: runner\nname: mine\nexecutor: locl\ntraning: {}\n",
}

TEXTS: Sequence[str] = (
    "check vittm-digits digits local study.yaml lookup.yaml",
    "check broken.yaml broken-study.yaml torn.yaml profile.yaml vittm-b-32-16",
    "check vittm-digits --set depth=0",
    "compile vittm-digits --set process.dim=65",
    "show vittm-digits",
    "search study.yaml --dry-run",
    "front",
    "watch --once",
)
VALUES: Sequence[str] = (
    "compile vittm-digits --json",
    "compile vittm-ti-28-28 --json",
    "compile lookup.yaml --json",
    "search study.yaml --dry-run --json",
    "show lookup.yaml --json",
    "front --json",
)
SHAPES: Mapping[str, int] = {
    "check vittm-digits broken.yaml --json": 99,
    "compile vittm-digits -o compiled --json": 99,
    "measure vittm-digits --max-seconds 0.1 --json": 1,
    "measure vittm-digits --vs vittm-digits --max-seconds 0.1 --json": 1,
    "search study.yaml --json": 99,
    "search study.yaml --dry-run --json": 99,
    "watch --json": 99,
    "front --json": 99,
    "front --settle --json": 99,
    "front --plot front.svg --json": 99,
    "show 1 --json": 99,
    "show vittm-digits --diagram drawn.svg --json": 99,
    "export --front -o found --json": 99,
    "export 1 -o one.yaml --json": 99,
    "export --csv trials.csv --optuna optuna.db --json": 99,
    "report -o report.html --json": 99,
    "reproduce 4 --json": 99,
    "schema model --json": 1,
    "schema study --json": 1,
    "schema runner --json": 1,
    "doctor --json": 99,
}
MISTAKES: Sequence[str] = (
    "",
    "serch",
    "check --jsn",
    "check vittm-b-28-29",
    "check no/such.yaml",
    "check torn.yaml",
    "compile .",
    "compile broken.yaml",
    "compile vittm-digits --set depht=3",
    "compile vittm-digits -o values.csv",
    "measure vittm-digits --batch 0",
    "measure vittm-digits --vs vit-b-16",
    "search digit",
    "search study.yaml --trials 0",
    "search study.yaml --objective speed",
    "search study.yaml --runner locl",
    "search study.yaml --set name=tabular --set sampler.seed=1",
    "search vittm-digits",
    "front --db missing.db",
    "front --study other",
    "front --rounds 2",
    "front --plot front.gif",
    "show 99",
    "show ffffffff",
    "export",
    "export 0 --front",
    "schema modell",
)
