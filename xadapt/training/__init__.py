"""Training: batches, forwards, the loop and its checkpoints."""
