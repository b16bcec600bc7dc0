"""Frozen encoder-decoder models: what their outputs may be, and how they are decoded."""
