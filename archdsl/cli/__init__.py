"""The command line: arguments, tables, progress and exit codes, over functions that do the work."""
