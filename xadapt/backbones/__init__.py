"""Frozen encoders: families, slices of layers, bases, pooling, fingerprints."""
