"""Judging modules and task heads on data: one file a task, from files to a table."""
