"""Read, filter, split and count the records for a run."""
