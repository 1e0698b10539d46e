"""`archdsl train --dry-run`: what a training will see and cost; trains nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from archdsl.cli.data import data_record, put_data
from archdsl.cli.printing import duration, print_json, put
from archdsl.cli.train_progress import size_text
from archdsl.document.messages import counted

if TYPE_CHECKING:
    from archdsl.api.run_training import TrainingEstimate


def put_estimate(estimate: TrainingEstimate, *, as_json: bool) -> None:
    """Print the data, the recipe and the cost of a training."""
    asked, recipe = estimate.asked, estimate.asked.recipe
    steps = math.ceil(len(asked.dataset.train) / recipe.batch)
    if as_json:
        record = {
            "model": {"name": asked.spec.name, "arch_id": asked.plan.arch_id},
            "data": data_record(asked.dataset),
            "recipe": recipe.model_dump(mode="json"),
            "steps": steps * recipe.epochs,
            "device": estimate.device,
            "needed_bytes": estimate.needed_bytes,
            "seconds": estimate.seconds,
        }
        print_json(record)
        return
    put_data(asked.dataset)
    put()
    put(f"model      {asked.spec.name} ({asked.plan.arch_id}), which fits these data")
    put(
        f"recipe     {counted(recipe.epochs, 'epoch')} of {counted(steps, 'step')} in batches of "
        f"{recipe.batch}, {recipe.optimizer} with a learning rate of {recipe.lr:g}"
    )
    put(f"memory     at least {size_text(estimate.needed_bytes)} on {estimate.device}")
    put(f"training   about {duration(estimate.seconds)}, timed on some of its steps")
