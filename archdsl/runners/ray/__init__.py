"""Where Ray runs candidates: the only room that imports ray."""
