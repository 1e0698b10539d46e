"""A trained network beside the truth: which images it gets right, which it mixes up, how sure it
is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from archdsl.analysis.statistics import wilson_interval
from archdsl.device_lock import SharedDeviceLock
from archdsl.document.messages import listed
from archdsl.errors import DataError
from archdsl.training.data.dataset import Dataset, size_word
from archdsl.training.data.loading import batches
from archdsl.training.data.pictures import FULL_DEPTH
from archdsl.training.data.reading import Reading
from archdsl.training.device import lock_names

BINS = 15
"""Of equal width, over the probability of the likeliest class, for the calibration error."""
LIKELIEST = 5
NOTHING = -1
"""What an image is taken for whose logits are not finite."""
MOST_NAMED = 10


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """An image that was taken for another class; classes by the network's label.

    Args:
        pixels: (channels, height, width), levels of 0-255, as the network was given them.
        label: its class.
        answer: what it was taken for.
        probability: that the network gave the answer.
        of_label: that it gave the image's class.
    """

    pixels: npt.NDArray[np.uint8]
    label: int
    answer: int
    probability: float
    of_label: float


@dataclass(kw_only=True)
class Scored:
    """Exact counts; classes by the network's label.

    Args:
        classes: how many the network knows.
        correct: images whose likeliest class is theirs.
        correct_of_five: images whose class is among the five likeliest.
        pairs: (label, what it was taken for) to images.
        bins: images, sum of the probabilities, and correct ones of each bin.
        mistakes: the surest ones first, as many as were asked for.
    """

    classes: int
    correct: int = 0
    correct_of_five: int = 0
    pairs: Counter[tuple[int, int]] = field(default_factory=Counter)
    bins: Tensor = field(default_factory=lambda: torch.zeros(BINS, 3, dtype=torch.float64))
    mistakes: list[Mistake] = field(default_factory=list)

    @property
    def images(self) -> int:
        return self.pairs.total()

    def share(self, count: int) -> dict[str, float]:
        """So many of the images in percent, with Wilson's interval."""
        low, high, _ = wilson_interval(count, self.images)
        return {"value": 100 * count / self.images, "low": low, "high": high}

    def per_class(self) -> list[dict[str, float | int | None]]:
        """Of each class its images, those recognised, those taken for it, recall, precision and F1
        in percent; None where there is nothing to divide by."""
        labelled, predicted = Counter[int](), Counter[int]()
        for (label, answer), count in self.pairs.items():
            labelled[label] += count
            predicted[answer] += count
        return [
            {
                "images": labelled[label],
                "correct": (hits := self.pairs[label, label]),
                "predicted": predicted[label],
                "recall": _percent(hits, labelled[label]),
                "precision": _percent(hits, predicted[label]),
                "f1": _percent(2 * hits, labelled[label] + predicted[label]),
            }
            for label in range(self.classes)
        ]

    def mixed_up(self) -> list[tuple[int, int, int]]:
        """(label, answer, images) of every mistake, the most frequent first."""
        wrong = [(*pair, count) for pair, count in self.pairs.items() if pair[0] != pair[1]]
        return sorted(wrong, key=lambda each: (-each[2], each))

    @property
    def calibration_error(self) -> float:
        """The expected calibration error in percent: how far probabilities and accuracies of the
        bins lie apart, weighed by their images."""
        _, sure, correct = self.bins.unbind(dim=1)
        return 100 * float((sure - correct).abs().sum() / self.images)

    def calibration(self) -> list[dict[str, float]]:
        """Of each bin with images: its upper end, images, mean probability, accuracy."""
        return [
            {
                "up_to": (number + 1) / BINS,
                "images": int(images),
                "probability": sure / images,
                "accuracy": correct / images,
            }
            for number, (images, sure, correct) in enumerate(self.bins.tolist())
            if images
        ]


def _percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None


def score(
    network: nn.Module,
    reading: Reading,
    dataset: Dataset,
    parts: Sequence[str],
    *,
    device: torch.device,
    batch: int,
    mistakes: int = 0,
) -> Scored:
    """Score a network on parts of a data set.

    Args:
        network: it is moved to `device`.
        reading: how it was given its own pictures.
        dataset: opened at the network's image size.
        parts: of it.
        device: where.
        batch: images at a time.
        mistakes: how many of the surest ones are kept with their images.

    Raises:
        DataError: the images are of another kind than the network's, or a class is unknown to it.
    """
    labels = torch.tensor(class_map(reading, dataset), device=device)
    refuse_other_images(reading, dataset)
    network, splits = network.to(device).eval(), dataset.splits()
    found = Scored(classes=len(reading.class_names))
    lock = SharedDeviceLock(lock_names(device))
    with lock, torch.inference_mode():
        read = (
            batches(
                splits[part], [torch.split(torch.arange(len(splits[part])), batch)], device=device
            )
            for part in parts
        )
        for images, theirs in chain.from_iterable(read):
            logits, truth = network(_as_trained(images, reading, dataset)), labels[theirs]
            _count(found, logits, truth)
            if mistakes:
                levels = dataset.normalisation.undo(images)
                found.mistakes = _surest([*found.mistakes, *_wrong(logits, truth, levels)])[
                    :mistakes
                ]
            lock.yield_to_measurement()
    return found


def class_map(reading: Reading, dataset: Dataset, *, whose: str = "the network") -> list[int]:
    """The network's label of each class of a data set, by its name.

    Args:
        reading: the network's.
        dataset: whose classes are looked up.
        whose: names the network in errors.

    Raises:
        DataError: names of classes that the network does not know.
    """
    known = {name: label for label, name in enumerate(reading.class_names)}
    unknown = [name for name in dataset.class_names if name not in known]
    if unknown:
        named = listed([f"'{each}'" for each in unknown], most=MOST_NAMED)
        names = listed([f"'{each}'" for each in known], most=MOST_NAMED)
        raise DataError(
            f"{dataset.name} has classes that {whose} was not trained for: {named}; it knows "
            f"{names}. Give it images of these, or rename the classes"
        )
    return [known[name] for name in dataset.class_names]


def refuse_other_images(reading: Reading, dataset: Dataset, *, whose: str = "the network") -> None:
    """For the arguments see `class_map`.

    Raises:
        DataError: a network takes other images than those of a data set.
    """
    if dataset.image_size != reading.image_size:
        raise DataError(
            f"{dataset.name} holds images of {size_word(dataset.image_size)} pixels, {whose} "
            f"takes {size_word(reading.image_size)}; give images of that size (pictures of files "
            "are brought to the size that the network that looks at them is for)"
        )
    if dataset.channels > reading.channels:
        raise DataError(
            f"{dataset.name} holds RGB images, {whose} takes grey ones; give grey pictures"
        )
    if dataset.depth not in (reading.depth, FULL_DEPTH):
        raise DataError(
            f"{dataset.name} holds pictures of {dataset.depth} bits, {whose} was trained on "
            f"{reading.depth}; give pictures that are as bright as those"
        )


def _as_trained(images: Tensor, reading: Reading, dataset: Dataset) -> Tensor:
    """Images of a data set, which it normalises by itself, as the network was given its own."""
    own, wanted = dataset.normalisation, reading.normalisation
    if own == wanted:
        return images
    levels = own.undo(images)
    return wanted.apply(levels.expand(-1, reading.channels, -1, -1).clone())


def _count(found: Scored, logits: Tensor, labels: Tensor) -> None:
    finite = logits.isfinite().all(dim=1)
    shares = logits.float().softmax(dim=1)
    sure, answers = shares.max(dim=1)
    answers = torch.where(finite, answers, NOTHING)
    sure = torch.where(finite, sure, 0.0).double()
    hits = answers == labels
    likeliest = logits.topk(min(LIKELIEST, logits.shape[1]), dim=1).indices
    among = (likeliest == labels[:, None]).any(dim=1) & finite | hits
    found.correct += int(hits.sum())
    found.correct_of_five += int(among.sum())
    found.pairs.update(zip(labels.tolist(), answers.tolist(), strict=True))
    place = (sure * BINS).long().clamp_(max=BINS - 1).cpu()
    cells = torch.stack([torch.ones_like(sure), sure, hits.double()], dim=1).cpu()
    found.bins.index_add_(0, place, cells)


def _wrong(logits: Tensor, labels: Tensor, levels: Tensor) -> Iterator[Mistake]:
    """Those of a batch; without images of which there is no answer."""
    shares = logits.float().softmax(dim=1)
    sure, answers = shares.max(dim=1)
    wrong = (answers != labels) & logits.isfinite().all(dim=1)
    for index in wrong.nonzero()[:, 0].tolist():
        label = int(labels[index])
        yield Mistake(
            pixels=levels[index].to(torch.uint8).cpu().numpy(),
            label=label,
            answer=int(answers[index]),
            probability=float(sure[index]),
            of_label=float(shares[index, label]),
        )


def _surest(mistakes: Iterable[Mistake]) -> list[Mistake]:
    return sorted(mistakes, key=lambda each: -each.probability)


def told_of_scores(found: Scored, names: Sequence[str]) -> Mapping[str, object]:
    """All counts as plain data, classes by their names."""
    named = {**dict(enumerate(names)), NOTHING: None}
    return {
        "images": found.images,
        "top1": {**found.share(found.correct), "correct": found.correct},
        "top5": {**found.share(found.correct_of_five), "correct": found.correct_of_five},
        "classes": [
            {"name": name, **row} for name, row in zip(names, found.per_class(), strict=True)
        ],
        "mixed_up": [
            {"class": named[label], "taken_for": named[answer], "images": count}
            for label, answer, count in found.mixed_up()
        ],
        "calibration": {"error": found.calibration_error, "bins": found.calibration()},
    }
