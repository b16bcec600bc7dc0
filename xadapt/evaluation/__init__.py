"""Evaluation: the scores of a module, with controls and confidence intervals in one table."""
