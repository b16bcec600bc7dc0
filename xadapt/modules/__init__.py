"""Modules: the trainable parts. A new module adds zero. One file for each kind."""

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
