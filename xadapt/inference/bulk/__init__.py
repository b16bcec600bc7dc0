"""Bulk encoding: vectors of any number of texts in shards, over processes, resumable."""
