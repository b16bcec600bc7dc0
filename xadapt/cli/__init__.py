"""The command line, to parse, call and render."""
