"""Objectives: records to views, encoded views to one loss for each record. One file per loss."""

NOT_PARTS = ("contract", "masking", "word_pieces")
