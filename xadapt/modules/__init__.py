"""Modules: the trainable parts, each zero in effect at birth. One file a kind."""

NOT_PARTS = ("effects", "ensemble", "invertible", "low_rank", "mixing", "router")
