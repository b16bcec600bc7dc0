"""Metrics that a user adds to a task's table by name: ``--metric matthews``. One file each."""

NOT_PARTS = ("protocol",)
