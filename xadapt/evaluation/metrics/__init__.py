"""Metrics that a user adds to a task's table by name, one file each: ``--metric matthews``."""

NOT_PARTS = ("protocol",)
