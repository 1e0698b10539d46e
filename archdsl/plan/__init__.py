"""A model with everything decided: explicit layers, whole numbers, one identity. Knows no torch."""
