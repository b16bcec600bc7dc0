"""The published form of a module: manifest, card, and a folder that several libraries open."""
