"""Objectives: records to views, encoded views to one loss for each record. One file per loss."""

NOT_PARTS = ("class_weights", "contract", "filter_pairs", "masking", "word_pieces")
