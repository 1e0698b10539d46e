"""The identity of a network that no document describes: a digest of what it is built of.

Two modules have one identity when all their submodules have the same paths, classes, settings, code
and shapes of tensors. The values of weights, their types, the device and the mode do not count, as
for a document. Code is the bytecode of the methods of classes and of functions among the settings;
torch's own classes go by their name, for the fingerprint beside a measurement names torch's
version. So the same class under another version of Python is another architecture, and what a
method calls outside its class is not seen.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from archdsl.identity import canonical_json, digest

NOT_ARCHITECTURE = frozenset({*vars(nn.Module()), "default_cfg", "pretrained_cfg"})
"""What every module has, and what timm notes of weights that are published elsewhere."""
STANDARD = ("builtins", "torch", "typing", "abc", "collections")
_PLAIN = (bool, int, float, str, tuple, type)
HOOKS = ("_forward_pre_hooks", "_forward_hooks")


def module_identity(module: nn.Module, *, image_shape: tuple[int, int, int]) -> str:
    """16 hexadecimal digits that name an architecture and the shape of its images.

    Equal in every process that builds the module alike.

    Args:
        module: in any mode, on any device.
        image_shape: (channels, height, width), which the time of a call depends on.
    """
    paths = {id(each): path for path, each in module.named_modules()}
    plain = _Plain(paths)
    found = [
        [path, plain.kind(type(each)), plain.attributes(each), _shapes(each)]
        for path, each in module.named_modules()
    ]
    return digest({"modules": found, "image_shape": list(image_shape)})


def _shapes(module: nn.Module) -> list[Any]:
    tensors = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
    return [[name, list(tensor.shape)] for name, tensor in tensors]


class _Plain:
    """Values as plain data that is equal in every process.

    Args:
        paths: id of each module of the network to its path.
    """

    def __init__(self, paths: Mapping[int, str]) -> None:
        self._paths = paths
        self._open: set[int] = set()
        self._kinds: dict[type, Any] = {}

    def attributes(self, module: nn.Module) -> list[Any]:
        """The settings of a module and its hooks."""
        own = {name: each for name, each in vars(module).items() if name not in NOT_ARCHITECTURE}
        hooks = [list(vars(module)[name].values()) for name in HOOKS]
        return [self.of(own), self.of(hooks)]

    def kind(self, kind: type) -> Any:
        """A class by name, and the code and plain attributes of it and of its bases."""
        if kind not in self._kinds:
            self._kinds[kind] = kind.__qualname__  # for a class among its own attributes
            own = [each for each in kind.__mro__ if not _is_standard(each)]
            self._kinds[kind] = [
                kind.__qualname__,
                [[each.__qualname__, self.of(dict(_of_class(each)))] for each in own],
            ]
        return self._kinds[kind]

    def of(self, value: Any) -> Any:
        """Any value."""
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float):
            return repr(value)
        if id(value) in self._paths:
            return ["module", self._paths[id(value)]]
        if id(value) in self._open:
            return "a value that holds itself"
        self._open.add(id(value))
        try:
            return [type(value).__qualname__, self._inside(value)]
        finally:
            self._open.discard(id(value))

    def _inside(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return list(value.shape)
        if isinstance(value, nn.Module):  # kept out of torch's sight, in a list or a tuple
            children = self.of(dict(value.named_children()))
            return [self.kind(type(value)), self.attributes(value), _shapes(value), children]
        if isinstance(value, Mapping):
            return [[self.of(key), self.of(each)] for key, each in value.items()]
        if isinstance(value, list | tuple):
            return [self.of(each) for each in value]
        if isinstance(value, set | frozenset):
            return sorted(map(canonical_json, map(self.of, value)))
        if isinstance(value, types.CodeType):
            return [value.co_code.hex(), self.of(value.co_consts), list(value.co_names)]
        if isinstance(value, functools.partial):
            return self.of([value.func, value.args, value.keywords])
        if isinstance(value, types.MethodType):
            return self.of([value.__self__, value.__func__])
        if isinstance(value, types.FunctionType) and not _is_standard(value):
            return self._function(value)
        if isinstance(value, type):
            return self.kind(value)
        text = getattr(value, "__qualname__", None) or repr(value)
        own = getattr(value, "__dict__", {})
        return [text if " at 0x" not in text else "", self.of(dict(own))]

    def _function(self, function: types.FunctionType) -> Any:
        code = function.__code__
        constants = tuple(each for each in code.co_consts if each != function.__doc__)
        cells = [_content(cell) for cell in function.__closure__ or ()]
        return self.of(
            [
                code.replace(co_consts=constants),
                function.__defaults__,
                function.__kwdefaults__,
                cells,
            ]
        )


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not yet assigned
        return None


def _is_standard(defined: type | types.FunctionType) -> bool:
    """Whether its name says what it does."""
    return defined.__module__.partition(".")[0] in STANDARD


def _of_class(kind: type) -> Iterator[tuple[str, Any]]:
    """Code and plain attributes in the body of a class."""
    for name, found in sorted(vars(kind).items()):
        value = found
        if isinstance(value, staticmethod | classmethod):
            value = value.__func__
        elif isinstance(value, property):
            value = value.fget
        elif isinstance(value, functools.cached_property):
            value = value.func
        plain = not name.startswith("__") and isinstance(value, _PLAIN)
        if plain or isinstance(value, types.FunctionType):
            yield name, value
