"""Weights of others in compiled models: whole checkpoints, and the start of a training."""
