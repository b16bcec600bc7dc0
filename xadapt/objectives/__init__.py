"""Objectives: records to views, encoded views to one loss for each record. One file per loss."""

NOT_PARTS = (
    "class_weights",
    "contract",
    "entity_prediction",
    "filter_pairs",
    "masking",
    "name_ranking",
    "target_loss",
    "target_words",
    "word_pieces",
)
