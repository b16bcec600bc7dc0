"""Inference: an encoder with modules, the composition of each row, and fallback languages."""
