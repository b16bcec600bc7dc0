"""Task heads: small maps from states to scores of labels."""
