"""Trainings that have come to nothing: stopped soon, and told what happened."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from archdsl.errors import ArchdslError

CHECK_STEPS = 50
"""Steps between looks at the losses: each look makes the host wait for the device."""
REMEDY = "a lower lr, a longer warm-up, clip_grad or amp: false may help"


class DivergedError(ArchdslError):
    """The loss or the gradient became infinite or not a number."""


class LossWatch:
    """The losses and gradients of the steps of one epoch.

    Args:
        epoch: counted from 1.
        begin: so many steps were done before.
        scaled: the loss is scaled, and steps whose gradient is not finite are left out.
    """

    def __init__(self, *, epoch: int, scaled: bool, begin: int = 0) -> None:
        self._epoch, self._scaled = epoch, scaled
        self._seen, self._norm_before = begin, math.nan
        self._waiting: list[tuple[Tensor, Tensor]] = []
        self._rates: list[float] = []

    def add(self, loss: Tensor, norm: Tensor, *, rate: float) -> None:
        """One step; every so many are looked at.

        Args:
            loss: on the device.
            norm: of the gradient, before it was clipped.
            rate: the learning rate.

        Raises:
            DivergedError: one of them is not finite.
        """
        self._waiting.append((loss, norm))
        self._rates.append(rate)
        if len(self._waiting) == CHECK_STEPS:
            self.check()

    def check(self) -> None:
        """Look at those that wait; raises the same. They cross to the host at once."""
        if not self._waiting:
            return
        found = torch.stack([torch.stack(each).float() for each in self._waiting]).tolist()
        for (loss, norm), rate in zip(found, self._rates, strict=True):
            self._seen += 1
            if not math.isfinite(loss) or not (self._scaled or math.isfinite(norm)):
                what = "loss" if not math.isfinite(loss) else "gradient"
                raise DivergedError(
                    f"the {what} became {norm if what == 'gradient' else loss} in epoch "
                    f"{self._epoch}, step {self._seen} (loss {loss:.4g}, learning rate {rate:.3g}, "
                    f"gradient norm {norm:.4g}, in the step before {self._norm_before:.4g})"
                )
            self._norm_before = norm
        self._waiting.clear()
        self._rates.clear()
