"""Where candidates run: this machine, in a child process that may die without ending the search."""
