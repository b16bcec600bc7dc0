"""Stored vectors: exact search, indexes, shards."""
