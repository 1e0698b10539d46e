"""Studies: a space of models around a base, what is measured, and the loop that searches it."""
