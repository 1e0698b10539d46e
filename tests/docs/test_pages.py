"""Whatever a page shows holds: it builds, its links lead somewhere, its documents and words are
those of this version."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from archdsl.cli.main import COMMANDS as SUMMARIES
from archdsl.cli.main import app, load_command
from archdsl.document.shelves import names
from archdsl.training.read import read_recipe

ROOT = Path(__file__).parents[2]
BESIDE = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md",
          "specs/README.md", "search/README.md", "recipes/README.md",
          "runners/README.md")  # fmt: skip
WRITTEN = sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))
PAGES = (*BESIDE, *WRITTEN)
OF_CODE = ("commands", "python_reference")
OF_SHELVES = ("models", "studies", "recipes", "profiles")
GENERATED = [f"docs/generated/{name}.md" for name in (*OF_CODE, *OF_SHELVES)]

pytestmark = pytest.mark.skipif(not WRITTEN, reason="the pages lie beside the source only")


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, and all that they lead to, with the generated ones in their place."""
    root = tmp_path_factory.mktemp("project")
    ignore = shutil.ignore_patterns("_build", "generated", "__pycache__", "*.db*")
    for name in ("docs", "specs", "search", "recipes", "runners", "benchmarks"):
        shutil.copytree(ROOT / name, root / name, ignore=ignore)
    for page in BESIDE:
        shutil.copy(ROOT / page, root / page)
    python(root, "docs/generate.py")
    return root


def python(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.process
@pytest.mark.skipif(
    not all(find_spec(name) for name in ("sphinx", "myst_parser", "furo")),
    reason="Sphinx, MyST or Furo is not installed: pip install 'archdsl[docs]'",
)
def test_the_pages_build_without_a_warning(project: Path) -> None:
    python(project, "-m", "sphinx", "--fail-on-warning", "--quiet", "docs", "docs/_build")
    built = project / "docs" / "_build"
    for page in (*WRITTEN, *GENERATED):
        path = built / Path(page).relative_to("docs").with_suffix(".html")
        assert path.is_file(), path
    front = (built / "index.html").read_text()
    assert "digits-sizes-front.png" in front
    fetched = re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"(https?:[^\"]+)", front)
    assert fetched == [], "pages that are read without a network"


@pytest.mark.slow
@pytest.mark.parametrize("page", [*PAGES, *GENERATED])
def test_links_lead_somewhere(project: Path, page: str) -> None:
    path = project / page
    for target in links(path.read_text()):
        name, _, anchor = target.partition("#")
        found = (path.parent / name).resolve() if name else path
        assert found.exists(), f"{page}: {target}"
        if anchor:
            assert anchor in anchors(found.read_text()), f"{page}: {target}"


def links(text: str) -> list[str]:
    found = re.findall(r"\]\(([^)\s]+)\)", without_code(text))
    return [target for target in found if "://" not in target]


def anchors(text: str) -> set[str]:
    """Of headings, as GitHub and MyST make them, and of labels."""
    headings = re.findall(r"^#+ (.+)$", without_code(text), flags=re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
    return slugs | set(re.findall(r"^\(([\w-]+)\)=$", text, flags=re.MULTILINE))


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


# tests/docs/test_extending.py carries that page out, in a copy of the package with its new word.
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES
     if page != "docs/extending.md" and blocks((ROOT / page).read_text(), "yaml")],
)  # fmt: skip
def test_documents_are_valid(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = []
    for block in blocks((ROOT / page).read_text(), "yaml"):
        names.append(f"{yaml.safe_load(block)['name']}.yaml")
        Path(names[-1]).write_text(block)
    done = CliRunner().invoke(app, ["check", *names])
    assert done.exit_code == 0, done.output


def shown_commands(text: str) -> Iterator[str]:
    """What a reader might type: in blocks, and in the middle of a sentence."""
    for block in blocks(text, "(?:console|text|bash|)"):
        for line in block.replace("\\\n", " ").splitlines():
            if line.removeprefix("$ ").startswith("archdsl "):
                yield line.removeprefix("$ ").split("  #")[0]
    yield from re.findall(r"`(archdsl [a-z][^`]*)`", " ".join(without_code(text).split()))


COMMANDS = {name: load_command(name) for name in SUMMARIES}


@pytest.mark.slow
@pytest.mark.parametrize("page", [*PAGES, *GENERATED[len(OF_CODE) :]])
def test_commands_are_those_there_are(project: Path, page: str) -> None:
    for shown in shown_commands((project / page).read_text()):
        name, *words = shlex.split(shown, comments=True)[1:]
        if name == "COMMAND":
            continue
        assert name in COMMANDS, f"{page}: {shown}"
        command = COMMANDS[name]
        if words and words[0] in getattr(command, "commands", ()):
            command = command.commands[words[0]]
        known = {"--help"}.union(*(each.opts + each.secondary_opts for each in command.params))
        options = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert options <= known, f"{page}: {shown}"


def test_every_command_and_every_word_is_documented(project: Path) -> None:
    commands = (project / "docs/generated/commands.md").read_text()
    assert re.findall(r"^## archdsl (\w+)$", commands, flags=re.MULTILINE) == list(COMMANDS)
    for name, command in COMMANDS.items():
        section = commands.partition(f"## archdsl {name}\n")[2].partition("\n## ")[0]
        for parameter in command.params:
            assert parameter.opts[0] in section.lower() or parameter.metavar in section, name
    language = (project / "docs/language.md").read_text()
    for kind, path in SCHEMAS.items():
        schema = yaml.safe_load((ROOT / path).read_text())
        for word in words_of(schema):
            assert f"| `{word}` |" in language, f"{kind}: {word}"
    table = language.partition("What the recipes on the shelf hold:")[2].partition("\n#")[0]
    rates = [f"`{read_recipe(name).lr}`" for name in names("recipes")]
    assert f"| word | {' | '.join(f'`{name}`' for name in names('recipes'))} |" in table
    assert f"| `lr` | {' | '.join(rates)} |" in table


def test_the_language_in_the_repository_is_that_of_the_code(project: Path) -> None:
    written = (project / "docs/language.md").read_text()
    assert (ROOT / "docs/language.md").read_text() == written, "run: python docs/generate.py"


SCHEMAS = {
    "model": "specs/model.schema.json",
    "study": "search/study.schema.json",
    "recipe": "recipes/recipe.schema.json",
    "runner": "runners/runner.schema.json",
}


def words_of(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return set().union(*map(words_of, schema))
    if not isinstance(schema, dict):
        return set()
    properties = schema.get("properties", {})
    own = set(properties) if isinstance(properties, dict) else set()
    return own.union(*(words_of(each) for each in schema.values()))
