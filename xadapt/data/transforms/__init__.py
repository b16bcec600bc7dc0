"""Makers: records in, records out; one file each."""
