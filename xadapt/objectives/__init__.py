"""Objectives: records to views, encoded views to one loss a record. One file a loss."""

NOT_PARTS = ("contract",)
