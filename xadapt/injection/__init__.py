"""Modules onto the sites of a frozen model."""
