"""Pages that load nothing: the front alone, and the whole report of a search."""
