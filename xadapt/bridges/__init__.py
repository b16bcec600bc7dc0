"""Bridges to other libraries: one file each, the only files that import them."""
