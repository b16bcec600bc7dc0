"""Foundations of all rooms: errors, files, the registry of parts, resources, progress."""
