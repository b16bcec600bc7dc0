"""Exact nearest neighbours in large sets: tiles of the product, then an exact second look."""
