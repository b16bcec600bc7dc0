"""Pure functions: losses, metrics, labels of words and their spans."""
