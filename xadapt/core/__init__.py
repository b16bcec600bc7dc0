"""What every room stands on: errors, files, the registry of parts, resources, progress."""
