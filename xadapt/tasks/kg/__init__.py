"""Knowledge graphs in use: structure, alignment of entities, completion of facts."""
