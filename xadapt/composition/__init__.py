"""Compositions of modules on rows: values, their text form, and their execution."""
