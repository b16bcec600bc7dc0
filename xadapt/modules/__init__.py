"""Modules: the trainable parts, each zero in effect at birth. One file a kind."""

NOT_PARTS = ("effects", "invertible", "low_rank", "router")
