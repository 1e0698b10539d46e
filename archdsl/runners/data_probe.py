"""What the data sets of a run profile are, as one machine sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from archdsl.errors import ArchdslError

ANY_SIZE = (32, 32)
"""Pictures of mixed sizes are opened at some size; which is a model's to say."""


@dataclass(frozen=True, kw_only=True)
class DataProbe:
    """A data set as one machine sees it.

    Args:
        ok: whether it can be read.
        found: how many images, or why not.
    """

    ok: bool
    found: str


def probe_data(names: Mapping[str, str]) -> dict[str, DataProbe]:
    """Open each data set on this machine, in the current folder.

    Args:
        names: of a run profile, name to source.
    """
    probes = {}
    for name in names:
        try:
            # Only here: a driver of a cluster has no use for torch.
            from archdsl.training.data.source import open_data

            opened = open_data(name, names=names, image_size=ANY_SIZE)
            probes[name] = DataProbe(ok=True, found=f"{len(opened.train)} training images")
        except (ArchdslError, ImportError) as error:
            probes[name] = DataProbe(ok=False, found=str(error))
    return probes
