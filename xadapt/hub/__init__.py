"""A module as others see it: manifest, card, and a folder that several libraries open."""
