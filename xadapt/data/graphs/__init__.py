"""Knowledge graphs: one file for each layout, and what is done with graphs and links.

A reader of graphs is a file with a ``Part``, a class with the interface of
`xadapt.data.graphs.protocol.GraphReader`. The name of the file is the prefix of its sources:
``dbp5l:DIR/ja`` is read by ``dbp5l.py``. `xadapt.data.graphs.opening` finds the reader of a source.
A new layout is a new file, or an entry point of the group ``xadapt.graphs``.
"""

from __future__ import annotations

NOT_PARTS = (
    "builders",
    "components",
    "graph",
    "joining",
    "links",
    "names",
    "opening",
    "protocol",
    "split",
    "writing",
)
