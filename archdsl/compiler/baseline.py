"""Models of timm's, with fresh weights; nothing is ever downloaded."""

from __future__ import annotations

from contextlib import suppress
from difflib import get_close_matches
from functools import cache
from typing import Any

import timm
import torch
from torch import nn

from archdsl.compiler.build import refuse_large_weights
from archdsl.errors import ArchdslError, NameNotFoundError
from archdsl.plan.baseline import TIMM, Baseline


def check_timm_name(name: str) -> str:
    """The name of a model of timm's without the tag of its published weights.

    Args:
        name: as in `timm.list_models()`, with or without that tag.

    Raises:
        NameNotFoundError: timm has none of that name; names the nearest.
    """
    base, _, tag = name.partition(".")
    known = timm.list_models()
    if base not in known:
        matches = get_close_matches(base, known, n=3)
        hint = f"; did you mean {' or '.join(TIMM + each for each in matches)}?" if matches else ""
        raise NameNotFoundError(
            f"timm {timm.__version__} has no model '{name}'{hint} (timm.list_models() lists them)"
        )
    if tag and name not in timm.list_pretrained(f"{base}.*"):
        tags = [each.removeprefix(f"{base}.") for each in timm.list_pretrained(f"{base}.*")]
        raise NameNotFoundError(
            f"timm {timm.__version__} has no weights '{tag}' of {base}; there are: "
            f"{', '.join(tags) or 'none'} (nothing here needs any: {TIMM}{base})"
        )
    return base


def timm_model(name: str) -> nn.Module:
    """A model of timm's as it comes.

    Args:
        name: see `check_timm_name`.

    Raises:
        NameNotFoundError: see there.
        NotEnoughMemoryError: its weights do not fit into main memory.
    """
    check_timm_name(name)
    return _created(name)


def usual_size(model: str) -> tuple[int, int]:
    """(height, width) of the images that timm says a model is for."""
    _, height, width = timm.models.get_pretrained_cfg_value(model, "input_size") or (3, 224, 224)
    return height, width


def build_baseline(
    baseline: Baseline, *, seed: int | None = None, drop_path: float = 0.0
) -> nn.Module:
    """A baseline with fresh weights, as timm makes it: what it is told of the images and classes is
    left to it.

    Args:
        baseline: what to build.
        seed: of the weights; from torch's own generator unless given.
        drop_path: rate of its last block.

    Raises:
        ArchdslError: timm cannot make it so, or it has nothing that could be dropped.
        NameNotFoundError: timm has no such model.
        NotEnoughMemoryError: its weights do not fit into main memory.
    """
    check_timm_name(baseline.model)
    channels, height, width = baseline.image
    words: dict[str, Any] = {"in_chans": channels, "num_classes": baseline.num_classes}
    dropped = {"drop_path_rate": drop_path} if drop_path else {}
    with torch.random.fork_rng(enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        try:
            try:
                return _created(baseline.model, img_size=(height, width), **words, **dropped)
            except TypeError as error:
                if "img_size" not in str(error):
                    raise
            return _created(baseline.model, **words, **dropped)
        except TypeError as error:
            if "drop_path_rate" not in str(error):
                raise _unmade(baseline, error) from None
            raise ArchdslError(
                f"drop_path {drop_path} has no effect: {baseline.name} has none; leave it out of "
                "the recipe"
            ) from None
        except (ValueError, RuntimeError, AssertionError) as error:
            raise _unmade(baseline, error) from None


@cache
def baseline_macs(baseline: Baseline) -> int:
    """Multiply-adds for one image, as torch counts them; whoever asks knows that the images fit.

    Raises:
        ArchdslError: it cannot be made, or takes no such images.
    """
    from torch.utils.flop_counter import FlopCounterMode  # imports triton, where that is

    model = build_baseline(baseline, seed=0).eval()
    try:
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            logits = model(torch.zeros(1, *baseline.image))
    except Exception as error:  # modules of others, which fail in whatever way they like
        raise _unmade(baseline, error) from None
    if getattr(logits, "shape", None) != (1, baseline.num_classes):
        raise ArchdslError(f"{baseline.name} gives no logits of {baseline.num_classes} classes")
    return int(counter.get_total_flops()) // 2


def classifier_names(model: nn.Module) -> list[str]:
    """What the names of tensors begin with that a model of timm's maps to its classes with."""
    found = getattr(model, "default_cfg", {}).get("classifier") or ()
    return [f"{name}." for name in ([found] if isinstance(found, str) else found)]


def _created(name: str, **words: Any) -> nn.Module:
    with suppress(RuntimeError, NotImplementedError), torch.device("meta"):
        refuse_large_weights(timm.create_model(name, pretrained=False, **words))
    with torch.device("cpu"):  # of modules of others, not all can be made without memory
        model: nn.Module = timm.create_model(name, pretrained=False, **words)
    return model


def _unmade(baseline: Baseline, error: Exception) -> ArchdslError:
    channels, height, width = baseline.image
    why = next(iter(str(error).splitlines()), "")
    return ArchdslError(
        f"{baseline.name} takes no images of {height}x{width} pixels and {channels} "
        f"{'channel' if channels == 1 else 'channels'} with {baseline.num_classes} classes, timm "
        f"says ({type(error).__name__}: {why}); give images of another size (pictures of files: "
        "--set image.size=N), or name another model"
    )
