"""Records for a run: read, filtered, split, counted."""
