"""Vectors at rest: exact search, indexes, shards."""
