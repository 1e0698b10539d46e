"""Questions about finished trials: dominance, hypervolume, what explains a front."""
