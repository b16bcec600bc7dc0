"""States and vectors of the frozen base, computed once for each row."""
