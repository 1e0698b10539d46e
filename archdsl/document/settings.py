"""`--set path=value`: one value laid over a document by the merge rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from archdsl.document.merge import merge_trees
from archdsl.document.reader import DEEPEST
from archdsl.document.text import read_value
from archdsl.document.tree import Entry, Origin, Tree
from archdsl.errors import DocumentError, Problem


@dataclass(frozen=True, kw_only=True)
class Laid:
    """A document with settings over it.

    Args:
        tree: the document.
        patches: what was laid over it.
        problems: everything that is wrong with settings that were left out.
    """

    tree: Tree
    patches: tuple[Tree, ...]
    problems: tuple[Problem, ...]

    def whole(self) -> Tree:
        """The document.

        Raises:
            DocumentError: settings were left out; all their problems.
        """
        if self.problems:
            raise DocumentError(self.problems)
        return self.tree


def steps_of(setting: str) -> list[str]:
    """The keys on the way to the value of a setting."""
    return setting.partition("=")[0].strip().split(".")


def setting_tree(setting: str) -> Tree:
    """`path.to.word=value` as the partial document it stands for.

    Raises:
        DocumentError: not of that form, or the value is not YAML.
    """
    _, equals, text = setting.partition("=")
    origin = _origin(setting)
    steps = steps_of(setting)
    if len(steps) > DEEPEST:
        raise _refused(setting, "", f"nested deeper than {DEEPEST} levels")
    if not equals or not all(steps):
        raise _refused(setting, "", "a setting is path=value, such as process.dim=384")
    tree = read_value(text, source=origin.source)
    for step in reversed(steps):
        tree = Tree(value={step: Entry(key_origin=origin, tree=tree)}, origin=origin)
    return tree


def lay(tree: Tree, setting: str) -> Tree:
    """A document with a setting laid over it.

    Raises:
        DocumentError: not a setting, one of an item of a list, or one that says nothing.
    """
    patch = setting_tree(setting)
    steps = steps_of(setting)
    here: Tree | None = tree
    for position, step in enumerate(steps):
        is_list = here is not None and isinstance(here.value, tuple)
        if is_list or (here is None and step.lstrip("-").isdigit()):
            around = ".".join(steps[:position])
            message = f"items of a list cannot be addressed; give the whole list: {around}=[…]"
            raise _refused(setting, around, message)
        here = here.child(step) if here else None
    value = patch.at(steps)
    if value and value.value == {} and here and isinstance(here.value, Mapping):
        message = "changes nothing: an empty mapping adds no key; null deletes the word"
        raise _refused(setting, ".".join(steps), message)
    return merge_trees(tree, patch)


def lay_all(tree: Tree, settings: Iterable[str]) -> Laid:
    """Lay settings over a document, one after the other; those that are refused are left out."""
    patches: list[Tree] = []
    problems: list[Problem] = []
    for setting in settings:
        try:
            tree = lay(tree, setting)
            patches.append(setting_tree(setting))
        except DocumentError as error:
            problems += error.problems
    return Laid(tree=tree, patches=tuple(patches), problems=tuple(problems))


def _origin(setting: str) -> Origin:
    return Origin(source=f"--set {setting}")


def _refused(setting: str, path: str, message: str) -> DocumentError:
    source = _origin(setting).source
    return DocumentError([Problem(source=source, line=0, column=0, path=path, message=message)])
