"""YAML text to any schema, with file:line:column for every problem. Knows no vocabulary."""
