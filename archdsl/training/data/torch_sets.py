"""Data sets that torchvision reads whole from its own files: MNIST, CIFAR and their like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from torchvision.datasets import CIFAR10, CIFAR100, KMNIST, MNIST, FashionMNIST

from archdsl.document.messages import one_of
from archdsl.errors import DataError
from archdsl.training.data.dataset import Dataset
from archdsl.training.data.in_memory import Labelled, memory_dataset
from archdsl.training.data.split import copies, cut_missing

SETS: dict[str, type[Any]] = {
    "cifar10": CIFAR10,
    "cifar100": CIFAR100,
    "fashion_mnist": FashionMNIST,
    "kmnist": KMNIST,
    "mnist": MNIST,
}


def open_torch(set_name: str, root: Path, *, name: str, split_seed: int) -> Dataset:
    """Load a data set that lies in a folder; nothing is fetched.

    A tenth of every class of train becomes validation, by seed.

    Args:
        set_name: one of `SETS`, as timm calls them.
        root: the folder that torchvision was given.
        name: the source as the user wrote it.
        split_seed: decides the validation part.

    Raises:
        DataError: no such set, or it does not lie there.
    """
    if set_name not in SETS:
        raise DataError(f"torch/{one_of(set_name, SETS)}")
    kind = SETS[set_name]
    try:
        found = {part: kind(str(root), train=part == "train") for part in ("train", "test")}
    except (RuntimeError, OSError, ValueError) as error:
        raise DataError(
            f"there is no whole {set_name} in {root} ({str(error).partition('.')[0]}); fetch it: "
            f'python -c "from torchvision.datasets import {kind.__name__}; '
            f"{kind.__name__}('{root}', download=True)\""
        ) from None
    given = {part: _labelled(each) for part, each in found.items()}
    class_names = [str(each) for each in found["train"].classes]
    parts, sources = cut_missing(
        given,
        {"train": "its train part", "test": "its test part"},
        contents=given["train"].contents(),
        seed=split_seed,
        class_names=class_names,
        source=name,
    )
    return memory_dataset(
        parts,
        name=name,
        class_names=class_names,
        sources=sources,
        remarks=[*copies({part: (each.contents(), each.labels) for part, each in parts.items()})],
    )


def _labelled(found: Any) -> Labelled:
    images = np.asarray(found.data)
    # (count, height, width[, 3]) to (count, channels, height, width)
    images = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    labels = np.asarray(found.targets, dtype=np.int64)
    return Labelled(images=np.ascontiguousarray(images, dtype=np.uint8), labels=labels)
