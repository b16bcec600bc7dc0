"""Vectors of any number of texts in shards: over processes, cut and gone on with."""
