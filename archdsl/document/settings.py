"""`--set path=value`: one value laid over a document by the merge rule."""

from __future__ import annotations

from collections.abc import Mapping

from archdsl.document.merge import merge_trees
from archdsl.document.text import read_value
from archdsl.document.tree import Entry, Origin, Tree
from archdsl.errors import DocumentError, Problem


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


def _origin(setting: str) -> Origin:
    return Origin(source=f"--set {setting}")


def _refused(setting: str, path: str, message: str) -> DocumentError:
    source = _origin(setting).source
    return DocumentError([Problem(source=source, line=0, column=0, path=path, message=message)])
