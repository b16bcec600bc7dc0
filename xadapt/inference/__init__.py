"""Using modules: an encoder with any number of them, what acts on each row, and what stands in."""
