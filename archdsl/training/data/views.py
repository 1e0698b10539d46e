"""What a network is shown of a train image, which is another in every epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PIL import Image, ImageOps
from timm.data.auto_augment import rand_augment_transform
from timm.data.random_erasing import RandomErasing
from timm.data.transforms import RandomResizedCropAndInterpolation, str_to_pil_interp
from torch import Tensor
from torchvision import transforms
from torchvision.transforms.functional import pil_to_tensor

from archdsl.training.data.dataset import Normalisation, Split
from archdsl.training.draws import seed_all, seed_of
from archdsl.training.recipe import RandAugment, Recipe

PAD_FRACTION = 8
"""Images move by up to 1/8 of their side."""


class Views:
    """Draws views of train images, each from a seed of its own.

    Args:
        recipe: says how, in words of today.
        shape: (channels, height, width) of a view.
        normalisation: of the images.
        seed: of the training.
    """

    def __init__(
        self,
        recipe: Recipe,
        *,
        shape: tuple[int, int, int],
        normalisation: Normalisation,
        seed: int,
    ) -> None:
        self.whole = recipe.crop == "random_resized"
        """Whether they are drawn of pictures at their own size."""
        self._seed, self._normalisation = seed, normalisation
        self._mode = "L" if shape[0] == 1 else "RGB"
        self._transform = transforms.Compose(_transforms(recipe, shape, normalisation))
        self._erase: Any = RandomErasing(  # type: ignore[no-untyped-call]
            recipe.erasing, mode="pixel", device="cpu"
        )

    def draw(self, picture: Image.Image, *, epoch: int, index: int, copy: int) -> Tensor:
        """One view: (channels, height, width), uint8, or float32 and normalised where parts may be
        erased. It seeds the global generators.

        Args:
            picture: grey or RGB, at its own size if `whole`, else at that of the views.
            epoch: of the training.
            index: of the image.
            copy: which of the views of the image in this epoch, from 0.
        """
        seed_all(seed_of(self._seed, epoch, "view", index, copy))
        view: Tensor = pil_to_tensor(self._transform(picture).convert(self._mode))
        if not self._erase.probability:
            return view
        erased: Tensor = self._erase(self._normalisation.apply(view[None])[0])
        return erased


def views_of(recipe: Recipe, split: Split, *, seed: int) -> Views | None:
    """What a recipe makes of the images of a split; None where it shows them as they are."""
    recipe = recipe.in_words_of_today()
    if recipe.crop == "none" and not (
        recipe.flip or recipe.rand_augment or recipe.color_jitter or recipe.erasing
    ):
        return None
    return Views(recipe, shape=split.shape, normalisation=split.normalisation, seed=seed)


def _transforms(
    recipe: Recipe, shape: tuple[int, int, int], normalisation: Normalisation
) -> list[Callable[[Any], Any]]:
    """Of a picture, in their order."""
    _, height, width = shape
    found: list[Callable[[Any], Any]] = []
    if recipe.crop == "random_resized":
        found.append(
            RandomResizedCropAndInterpolation(  # type: ignore[no-untyped-call]
                (height, width), scale=recipe.scale, interpolation=recipe.interpolation
            )
        )
    elif recipe.crop == "pad":
        padding = [max(1, side // PAD_FRACTION) for side in (width, height)]
        found.append(transforms.RandomCrop((height, width), padding, padding_mode="edge"))
    if recipe.flip:
        found.append(transforms.RandomHorizontalFlip(recipe.flip))
    if recipe.rand_augment or recipe.color_jitter:
        # Colours are those of RGB: a grey picture is one of equal channels meanwhile.
        found.append(_as_rgb)
    if recipe.rand_augment:
        found.append(_rand_augment(recipe.rand_augment, recipe.interpolation, normalisation))
    if recipe.color_jitter:
        found.append(transforms.ColorJitter(*[recipe.color_jitter] * 3))
    return found


def _rand_augment(
    words: RandAugment, interpolation: str, normalisation: Normalisation
) -> Callable[[Any], Any]:
    levels = [round(mean) for mean in normalisation.mean]
    # What moves in shows the mean.
    hyperparameters: dict[str, Any] = {"img_mean": tuple(levels * (3 // len(levels)))}
    if interpolation != "random":
        resampling = str_to_pil_interp(interpolation)  # type: ignore[no-untyped-call]
        hyperparameters["interpolation"] = resampling
    name = f"rand-m{words.magnitude}-n{words.ops}-mstd{words.std}-mmax{words.most}-inc1"
    transform = rand_augment_transform(name, hyperparameters)
    for op in transform.ops:
        if op.name == "PosterizeIncreasing":
            op.aug_fn = _posterize
    found: Callable[[Any], Any] = transform
    return found


def _posterize(picture: Image.Image, bits: int, **_: Any) -> Image.Image:
    """As timm does it, but of pictures that would be all black one bit stays; Pillow 13 refuses to
    make them so."""
    return ImageOps.posterize(picture, max(bits, 1))


def _as_rgb(picture: Image.Image) -> Image.Image:
    return picture.convert("RGB")
