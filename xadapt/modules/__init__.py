"""Modules: the trainable parts, each zero in effect at birth. One file a kind."""

NOT_PARTS = (
    "arrow",
    "hooks",
    "ensemble",
    "invertible",
    "low_rank",
    "mixing",
    "narrow",
    "storage",
    "sums",
)
