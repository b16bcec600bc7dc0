"""Records, readers, transforms, and the loading of records for a run."""
