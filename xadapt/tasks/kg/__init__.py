"""Alignment and completion of knowledge graphs: floors, structure, views and their sums."""
