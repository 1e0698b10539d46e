"""Plots: the front, its growth, choices, learning curves."""
