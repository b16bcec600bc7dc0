"""Find exact nearest neighbours in large sets: tiles of the product, then exact scores."""
