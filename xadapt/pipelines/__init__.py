"""Pipelines, the only code that connects the rooms: train, compose, weight search, quickstart."""
