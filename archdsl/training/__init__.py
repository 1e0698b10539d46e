"""Data, recipes, the training loop, checkpoints and accuracy."""
