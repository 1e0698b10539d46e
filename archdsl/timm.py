"""The models of the shelf for timm: importing this registers them.

A document's name is that of timm's model with `_` for `-`: `timm.create_model("vittm_b_28_28")`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models import (
    build_model_with_cfg,
    generate_default_cfgs,
    is_model,
    model_entrypoint,
    register_model,
)
from timm.models._features import FeatureGetterNet
from torch import Tensor, nn

from archdsl.compiler.build import build
from archdsl.compiler.weights.layouts import guess
from archdsl.compiler.weights.load import shaped, translated
from archdsl.compiler.weights.mismatch import mismatches
from archdsl.compiler.weights.positions import bring_tables
from archdsl.document.messages import one_of
from archdsl.document.shelves import documents, packaged
from archdsl.errors import ArchdslError, ArgumentError, WeightsError
from archdsl.nn.intermediates import layers_taken
from archdsl.nn.network import Network
from archdsl.plan.plan import Plan, classifier_streams
from archdsl.plan.read import read_model
from archdsl.training.bundle import BUNDLE, load_bundle
from archdsl.training.drop_path import DropPaths

__all__ = ["bundle_cfg"]  # timm adds the name of each model

OF_TIMM = ("pretrained_cfg", "pretrained_cfg_overlay", "pretrained_model_args", "cache_dir")
"""What timm tells itself."""
WORDS = ("num_classes", "in_chans", "img_size", "drop_path_rate", "features_only")
"""What a model may be told; `FEATURES`, too, where it is to give features only."""
FEATURES = ("out_indices", "stream")


class StreamFeatures(FeatureGetterNet):
    """The maps of one stream behind some layers: (batch, dim, rows, columns) each.

    Args:
        model: loses the layers behind them, and its classifiers.
        out_indices: of layers, see `Network.forward_intermediates`.
        stream: `process` or `memory`; unless given the first that the model predicts with.

    Raises:
        ArgumentError: there is no such stream.
        ValueError: there is no layer of such an index.
    """

    def __init__(
        self,
        model: Network,
        *,
        out_indices: int | Sequence[int] | None = None,
        stream: str | None = None,
    ) -> None:
        streams = {str(name): each for name, each in model.plan.streams.items()}
        wanted = stream or _predicting(model.plan)
        if wanted not in streams:
            raise ArgumentError(f"stream {one_of(wanted, tuple(streams))}")
        plan = streams[wanted]
        taken = sorted(layers_taken(len(model.layers), out_indices))
        del model.layers[taken[-1] + 1 :]
        model.classifiers.clear()
        model.feature_info = [  # type: ignore[assignment]
            {
                "module": f"layers.{number}",
                "num_chs": plan.dim,
                "reduction": model.plan.image[1] / plan.grid[0],
            }
            for number in range(len(model.layers))
        ]
        super().__init__(model, out_indices=tuple(taken))
        self.stream = wanted

    def forward(self, x: Tensor) -> list[Tensor]:
        """(batch, channels, height, width) -> a map for each of `out_indices`."""
        found: dict[str, list[Tensor]] = super().forward(x)  # type: ignore[no-untyped-call]
        return found[self.stream]


def _predicting(plan: Plan) -> str:
    name = plan.output.predict
    if name == "mean":
        name = next(iter(plan.output.classifiers))
    return classifier_streams(name, plan.output.classifiers[name])[0]


def bundle_cfg(path: str | Path) -> dict[str, Any]:
    """What timm is to know of a bundle: `create_model(NAME, pretrained=True, pretrained_cfg=…)`.

    Args:
        path: its file, or the folder of a training.

    Returns:
        Where the weights are, classes by name, size and normalisation of images.

    Raises:
        WeightsError: there is none, it is damaged, or it is a network of timm's own.
    """
    bundle, place = load_bundle(path), Path(path).expanduser()
    if not isinstance(bundle.network, Network):
        raise WeightsError(f"{path} holds a model of timm's, {bundle.spec.name}")
    reading = bundle.reading
    return {
        **_of_plan(bundle.network.plan),
        "file": str(place / BUNDLE if place.is_dir() else place),
        "input_size": (reading.channels, *reading.image_size),
        "crop_pct": reading.crop_pct,
        "mean": tuple(level / 255 for level in reading.normalisation.mean),
        "std": tuple(level / 255 for level in reading.normalisation.std),
        "label_names": reading.class_names,
    }


def _of_plan(plan: Plan) -> dict[str, Any]:
    """What timm says of a model whose weights are nowhere."""
    channels = plan.image[0]
    coloured = channels == len(IMAGENET_DEFAULT_MEAN)
    return {
        "input_size": plan.image,
        "fixed_input_size": True,
        "crop_pct": 1.0,
        "num_classes": plan.output.num_classes,
        "mean": IMAGENET_DEFAULT_MEAN if coloured else (0.5,) * channels,
        "std": IMAGENET_DEFAULT_STD if coloured else (0.5,) * channels,
        "classifier": tuple(f"classifiers.{name}.linear" for name in plan.output.classifiers),
        # Patches pass a linear map, of which timm could not change the channels.
        "first_conv": tuple(
            f"embeds.{name}.embed.proj.0"
            for name, stream in plan.streams.items()
            if stream.embed.type == "conv_stem"
        )
        or None,
    }


def _make(
    path: Path,
    *,
    num_classes: int | None = None,
    in_chans: int | None = None,
    img_size: int | Sequence[int] | None = None,
    drop_path_rate: float = 0.0,
) -> Network:
    told = {
        "output.num_classes": num_classes or None,
        "image.channels": in_chans,
        "image.size": list(img_size) if isinstance(img_size, Sequence) else img_size,
    }
    sets = [f"{word}={value}" for word, value in told.items() if value is not None]
    model = build(read_model(str(path), sets).spec)
    if num_classes == 0:
        model.reset_classifier(0)
    if not 0 <= drop_path_rate < 1:
        raise ArgumentError(f"drop_path_rate is {drop_path_rate}; give a share from 0 to below 1")
    DropPaths(model, drop_path_rate).put()
    return model


def _fitted(state: Mapping[str, Tensor], model: Network) -> dict[str, Tensor]:
    """Weights that timm has read, as the model names and shapes them; linear maps of classifiers
    are timm's to keep or to drop.

    Raises:
        WeightsError: they are not of this architecture.
    """
    plan = model.plan
    found = translated(state, plan, guess(state))
    placed, problems = bring_tables(found, plan, stored={}, said=None)
    placed = {name: shaped(name, tensor, plan) for name, tensor in placed.items()}
    own = {name: each for name, each in model.state_dict().items() if _is_linear(name)}
    others = {name: each for name, each in placed.items() if not _is_linear(name)}
    if problems := [*mismatches({**others, **own}, model), *problems]:
        lines = "\n".join(problems)
        raise WeightsError(f"these weights are not of this architecture:\n{lines}")
    return placed


def _is_linear(name: str) -> bool:
    return name.startswith("classifiers.") and ".linear." in name


def _refuse_unknown(name: str, words: Mapping[str, Any]) -> None:
    known = (*WORDS, *FEATURES) if words.get("features_only") else WORDS
    wrong = [f"{word}={value!r}" for word, value in words.items() if word not in known]
    if wrong:
        raise ArgumentError(
            f"{name} takes no {', '.join(wrong)}; it takes {', '.join(WORDS)} (and with that "
            f"{' and '.join(FEATURES)}), and of drop_rate only 0: nothing of it is dropped but "
            "whole branches. All else is in its document (archdsl.compile)"
        )


def _register(name: str, path: Path) -> None:
    def create(pretrained: bool = False, **words: Any) -> nn.Module:
        of_timm = {word: words.pop(word) for word in OF_TIMM if word in words}
        if not words.get("drop_rate", True):
            del words["drop_rate"]  # scripts of timm's tell it always
        _refuse_unknown(name, words)
        features = {word: words.pop(word, None) for word in FEATURES}
        model: nn.Module = build_model_with_cfg(
            partial(_make, path),
            name,
            pretrained,
            feature_cfg={**features, "feature_cls": StreamFeatures},
            pretrained_filter_fn=_fitted,
            **of_timm,
            **words,
        )
        return model

    create.__name__ = create.__qualname__ = name
    create.__doc__ = f"The document `{path.stem}`."
    globals()[name] = register_model(create)


_PATHS = {path.stem.replace("-", "_"): path for path in documents(packaged("specs"))}
_taken = [
    name for name in _PATHS if is_model(name) and model_entrypoint(name).__module__ != __name__
]
if _taken:
    raise ArchdslError(
        f"timm has models of these names already: {', '.join(_taken)}; they would be hidden by "
        "those of archdsl, none of which is registered: use archdsl.compile"
    )
default_cfgs = generate_default_cfgs(
    {name: _of_plan(read_model(str(path)).plan) for name, path in _PATHS.items()}
)
for _name, _path in _PATHS.items():
    _register(_name, _path)
