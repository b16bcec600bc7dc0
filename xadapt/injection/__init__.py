"""Injection of modules into the sites of a frozen model."""
