"""Cache of a frozen encoder's activations: rows, segment files, lookup, limits."""
