"""Encoders: tokens to states, states through layers, states to vectors."""
