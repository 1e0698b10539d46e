"""How to train: what recipes can say. Imports no torch: the schema of studies holds a `Recipe`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from archdsl.plan.baseline import TIMM
from archdsl.spec.base import YOUNGER, StoredNode
from archdsl.spec.values import Name, TimmName

Augmentation = Literal["none", "shift", "flip_shift"]
Broken = Literal["stop", "skip"]
Probability = Annotated[float, Field(ge=0, le=1)]


def _share(value: float) -> float:
    if not 0 < value <= 1:
        raise ValueError(f"{value} is not a share of the picture: above 0, at most 1")
    return value


Area = Annotated[float, AfterValidator(_share)]
OLDER: Mapping[str, Mapping[str, Any]] = {
    "shift": {"crop": "pad"},
    "flip_shift": {"crop": "pad", "flip": 0.5},
}
"""What older documents say as `augment`, in the words of today."""


class RandAugment(StoredNode):
    """Operations drawn at random from a list of fifteen, as timm has them."""

    ops: Annotated[int, Field(ge=1, le=16)] = 2
    """Operations, each of which is applied to every second picture."""

    magnitude: Annotated[int, Field(ge=0, le=100)] = 9
    """How strong they are."""

    most: Annotated[int, Field(ge=1, le=100)] = 10
    """Largest magnitude, also of those that vary; 10 is where the operations' usual ranges end."""

    std: Annotated[float, Field(ge=0, le=100)] = 0.5
    """Standard deviation of the magnitude, which is drawn for each operation."""

    @model_validator(mode="after")
    def _is_reached(self) -> Self:
        if self.magnitude > self.most:
            raise ValueError(
                f"magnitude {self.magnitude} is above most {self.most}, which would bound it"
            )
        return self


class TimmTeacher(StoredNode):
    """A model of timm's with trained weights, of which more must be said than its name."""

    model: TimmName
    """`timm:NAME` or `timm:NAME.TAG`; the tag says which of its published weights they are."""

    init: Annotated[str, Field(min_length=1)] | None = None
    """File of the weights; those that timm published, from the local cache, unless given. A
    relative path starts at the current folder."""

    classes: Annotated[str, Field(min_length=1)] | None = None
    """File of the names of its classes by label, one a line, as timm's class maps have them; those
    of the ImageNet that the published weights are for unless given. Needed with `init` where the
    model has no tag."""


def _kind_of_teacher(value: object) -> str:
    return "timm" if isinstance(value, Mapping | TimmTeacher) else "name"


WARMUP_EPOCHS = 0.5
"""Where a recipe does not say."""


class Recipe(StoredNode):
    """Supervised classification; the defaults suit small images."""

    epochs: Annotated[int, Field(ge=1, le=10_000)] = 30
    """Passes over the train split."""

    batch: Annotated[int, Field(ge=1, le=65_536)] = 64
    """Images per step of the optimiser, at most: the images of an epoch are dealt out evenly over
    its steps. The learning rate belongs to it: nothing scales one by the other."""

    lr: Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)] = 3e-3
    """Learning rate at the end of the warm-up."""

    min_lr: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = 1e-5
    """Learning rate that the cosine falls to at the end; no more than `lr`."""

    warmup_epochs: Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)] = WARMUP_EPOCHS
    """Epochs, or part of one, over which the learning rate rises linearly; under `epochs`."""

    weight_decay: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = 0.05
    """Decoupled weight decay, a factor of the learning rate; biases, norms, position tables and
    prefix tokens do not decay."""

    label_smoothing: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.1
    """Probability taken from the true class and spread over all classes."""

    clip_grad: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = 1.0
    """Largest L2 norm of all gradients together; 0 leaves them as they are."""

    augment: Augmentation = "none"
    """How older documents say `crop: pad` (`shift`), or that and `flip: 0.5` (`flip_shift`)."""

    amp: bool | Literal["bfloat16", "float16"] = True
    """`true` trains under autocast to bfloat16 where the training device is CUDA; a type does so on
    any device, float16 with a scaled loss. Validation is float32."""

    optimizer: Annotated[Literal["adamw", "sgd", "lamb", "muon"], YOUNGER] = "adamw"
    """timm's of that name. sgd: with Nesterov's momentum 0.9. muon: with AdamW, at the same rate,
    for classifiers, gates, position tables, prefix tokens and what is no matrix."""

    decay_all: Annotated[bool, YOUNGER] = False
    """Biases, norms, position tables and prefix tokens decay, too, as in the ViTTM paper."""

    layer_decay: Annotated[float, Field(gt=0, le=1), YOUNGER] = 1.0
    """Factor of the learning rate from one layer down to the next: classifiers have it whole,
    embeddings the least."""

    warmup_steps: Annotated[Annotated[int, Field(ge=0, le=10_000_000)] | None, YOUNGER] = None
    """Steps of the warm-up, in place of `warmup_epochs`; fewer than the training has."""

    warmup_lr: Annotated[
        Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] | None, YOUNGER
    ] = None
    """Learning rate of the first step of the warm-up; that of one step on the way from 0 to `lr`
    unless given."""

    loss: Annotated[Literal["cross_entropy", "bce"], YOUNGER] = "cross_entropy"
    """bce: binary cross-entropy, summed over the classes."""

    mixup: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False), YOUNGER] = 0.0
    """Alpha of mixup: each image is blended with that at the other end of its batch; 0 is none.
    Where there is cutmix, too, every second batch has the one, on average."""

    cutmix: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False), YOUNGER] = 0.0
    """Alpha of cutmix: a rectangle of each image comes from the other; 0 is none."""

    mix_prob: Annotated[Probability, YOUNGER] = 1.0
    """Probability that a batch is mixed, by mixup or cutmix."""

    ema: Annotated[Annotated[float, Field(gt=0, lt=1)] | None, YOUNGER] = None
    """Decay of the moving average of all weights. The average is then what is validated, tested and
    kept as the result; the weights it is of are validated and kept beside it."""

    drop_path: Annotated[float, Field(ge=0, lt=1), YOUNGER] = 0.0
    """Probability that an image passes by a part of the last transformer block (stochastic depth);
    it rises linearly from 0 in the first. A block that layers share has the mean of theirs."""

    accumulate: Annotated[int, Field(ge=1, le=65_536), YOUNGER] = 1
    """Parts that a batch is computed in, one after the other; the step is that of the whole."""

    grad_checkpointing: Annotated[bool, YOUNGER] = False
    """What lies inside layers is computed again in the backward pass: less memory, more time. Of a
    model of timm's, BatchNorms then count each batch twice."""

    compile: Annotated[Literal["default", "reduce-overhead", "max-autotune"] | None, YOUNGER] = None
    """Mode of torch.compile, for training alone; the network is trained as it is unless given."""

    channels_last: Annotated[bool, YOUNGER] = False
    """Images and the weights of convolutions lie in memory with their channels last."""

    crop: Annotated[Literal["none", "pad", "random_resized"], YOUNGER] = "none"
    """Which part of a train image is shown. `pad`: it is moved by up to 1/8 of its side (1 pixel at
    least), repeating the border. `random_resized`: a part of it, brought to the image's size."""

    scale: Annotated[
        tuple[Area, Area], YOUNGER, Field(strict=False, json_schema_extra={"type": "array"})
    ] = (0.08, 1.0)
    """Smallest and largest share of a picture's area that `crop: random_resized` shows."""

    interpolation: Annotated[Literal["bicubic", "bilinear", "random"], YOUNGER] = "bicubic"
    """Of `crop: random_resized` and of the operations of `rand_augment`."""

    flip: Annotated[Probability, YOUNGER] = 0.0
    """Probability that a train image is mirrored left to right."""

    rand_augment: Annotated[RandAugment | None, YOUNGER] = None
    """Operations that are applied to train images; `{}` takes the usual ones."""

    color_jitter: Annotated[float, YOUNGER, Field(ge=0, le=1)] = 0.0
    """How far brightness, contrast and saturation of train images vary: by factors of 1 - this to
    1 + this."""

    erasing: Annotated[Probability, YOUNGER] = 0.0
    """Probability that a rectangle of a train image (2 % to a third of it) becomes noise."""

    repeats: Annotated[int, YOUNGER, Field(ge=1, le=100)] = 1
    """How often an epoch shows each train image that it shows, side by side and each time another
    way; it shows as many images as there are, so not all of them."""

    broken: Annotated[Broken, YOUNGER] = "stop"
    """What becomes of pictures to train on that cannot be decoded: `skip` says which, and shows
    another of the batch in place of each. One to validate or test with always ends the training."""

    crop_pct: Annotated[float, YOUNGER, Field(gt=0.1, le=1)] = 1.0
    """Share of either side of a picture in a file that is shown to validate, to test and to
    predict: the rest is a border, of which `crop: random_resized` shows a part at most times."""

    classes: Annotated[Literal["as_they_are", "weighted", "sampled"], YOUNGER] = "as_they_are"
    """What is done about classes of unlike sizes. `weighted`: an image counts in the loss the more,
    the fewer there are of its class. `sampled`: an epoch shows as many images of each class, drawn
    with repetition; there are as many as before."""

    teacher: Annotated[
        Annotated[
            Annotated[Annotated[str, Field(min_length=1)], Tag("name")]
            | Annotated[TimmTeacher, Tag("timm")],
            Discriminator(_kind_of_teacher),
        ]
        | None,
        YOUNGER,
    ] = None
    """A trained network to learn from: its bundle, or the folder of its training; or a model of
    timm's, `timm:NAME` with published weights from the local cache, or `{model: timm:NAME, init:
    FILE}`. It is given the same views of the images, mixed as they are. The classifier of a
    distillation token learns of it alone, the others then of the labels alone."""

    teacher_weights: Annotated[str | None, YOUNGER] = None
    """Digest of the teacher's weights; found in its bundle or computed unless given."""

    distillation: Annotated[Literal["hard", "soft"], YOUNGER] = "hard"
    """What is learned of the teacher: its likeliest class, or all its probabilities."""

    teacher_share: Annotated[Probability, YOUNGER] = 0.5
    """Of the loss; the rest is that of the labels (alpha)."""

    temperature: Annotated[float, Field(gt=0, le=100), YOUNGER] = 1.0
    """What logits are divided by for `distillation: soft`."""

    @property
    def timm_teacher(self) -> TimmTeacher | None:
        """The teacher, where it is a model of timm's that is none of ours to have trained."""
        if isinstance(self.teacher, str) and self.teacher.startswith(TIMM):
            return TimmTeacher(model=self.teacher)
        return self.teacher if isinstance(self.teacher, TimmTeacher) else None

    def in_words_of_today(self) -> Self:
        """The same recipe, of which `augment` is told by the words that took its place."""
        older = OLDER.get(self.augment)
        return self.model_copy(update={**older, "augment": "none"}) if older else self

    @model_validator(mode="after")
    def pictures_are_shown_in_one_way(self) -> Self:
        if self.augment != "none" and (self.crop, self.flip) != ("none", 0):
            raise ValueError(f"augment: {self.augment} says what crop and flip say; leave it out")
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"scale {list(self.scale)} begins above its end")
        if self.crop != "random_resized" and self.scale != (0.08, 1.0):
            raise ValueError("scale has a meaning for crop: random_resized alone")
        return self

    @model_validator(mode="after")
    def words_of_a_teacher_need_one(self) -> Self:
        words = ("teacher_weights", "distillation", "teacher_share", "temperature")
        defaults = {word: Recipe.model_fields[word].default for word in words}
        said = [word for word in words if getattr(self, word) != defaults[word]]
        if self.teacher is None and said:
            raise ValueError(
                f"{said[0]} has no effect without a teacher; name one, or leave it out"
            )
        if self.distillation == "hard" and self.temperature != defaults["temperature"]:
            raise ValueError("temperature has a meaning for distillation: soft alone")
        return self

    @model_validator(mode="after")
    def schedule_is_possible(self) -> Self:
        if self.min_lr > self.lr:
            raise ValueError(f"min_lr {self.min_lr} is above lr {self.lr}")
        if self.warmup_lr is not None and self.warmup_lr > self.lr:
            raise ValueError(f"warmup_lr {self.warmup_lr} is above lr {self.lr}")
        if self.accumulate > self.batch:
            raise ValueError(f"accumulate {self.accumulate} is above batch {self.batch}")
        if self.warmup_steps is not None and self.warmup_epochs != WARMUP_EPOCHS:
            raise ValueError("warmup_steps stands in place of warmup_epochs; leave one of them out")
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs {self.warmup_epochs:g} must stay under epochs {self.epochs}; lower "
                "it, or say more epochs"
            )
        return self

    @property
    def images_at_once(self) -> int:
        """Of a batch, at most, on the device."""
        return math.ceil(self.batch / self.accumulate)


class RecipeDocument(Recipe):
    """A recipe on the shelf `recipes/`, or in a file of one's own."""

    archdsl: Literal[1]
    """Version of the language."""
    kind: Literal["recipe"]
    name: Name
    """Free text."""

    def words(self) -> Recipe:
        """What it says of trainings, which is all that is digested and stored."""
        return Recipe(**{word: getattr(self, word) for word in Recipe.model_fields})
