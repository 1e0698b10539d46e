"""Rewrites of built networks for where they will run.

A pass is one file here: `apply(network, target) -> Rewrite`. Its network computes the same and has
the same state dict, so weights load before passes and are saved after them alike.
"""
