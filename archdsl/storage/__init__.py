"""Where files are kept: a folder, or a URL that several machines reach."""
