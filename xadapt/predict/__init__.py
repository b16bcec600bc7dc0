"""Answers of task heads: tags, classes, spans, scores and open triples, as plain Python values."""
