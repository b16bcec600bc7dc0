"""Evaluation: what a module changes, with controls and intervals in one table."""
