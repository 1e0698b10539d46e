"""From plans to modules, and what a compiled model is written as."""
