"""Readers: one file a source format, each giving records.

A reader is a file with a ``Part``: a class with the attributes ``format`` (its name for
``--format``) and ``gives`` (the record class), ``claims(source, request)`` (is this source its
own?) and ``read(source, request)`` (an iterator of records). A reader that guesses or skips also
takes ``notes``, a `xadapt.data.readers.notes.Notes`, and reports it there.
`xadapt.data.readers.parallel` picks among all that give `xadapt.data.records.ParallelPair`, so a
new format is a new file.
"""

from __future__ import annotations

NOT_PARTS = (
    "cldr_graph",
    "cldr_labels",
    "cldr_sample",
    "cldr_split",
    "columns",
    "lines",
    "notes",
    "sides",
    "tables",
    "text_stream",
    "word_rows",
)
