"""Readers: one file for each source format. A reader gives records.

A reader is a file with a ``Part``. ``Part`` is a class with the attributes ``format`` (its name for
``--format``) and ``gives`` (the record class). Its methods are ``claims(source, request)`` (whether
the source has this format) and ``read(source, request)`` (an iterator of records). A reader with
guesses or skipped rows also takes ``notes``, a `xadapt.data.readers.notes.Notes`, and reports them
there. A reader with options is a frozen dataclass whose fields are the options.
`xadapt.data.readers.parallel` chooses among all readers that give
`xadapt.data.records.ParallelPair`, so a new format is a new file.
"""

from __future__ import annotations

NOT_PARTS = (
    "compressed",
    "cldr_graph",
    "cldr_labels",
    "cldr_sample",
    "cldr_split",
    "columns",
    "concept_names",
    "graph_files",
    "graph_links",
    "graph_records",
    "graph_rows",
    "graph_source",
    "hub_rows",
    "in_memory",
    "label_columns",
    "lines",
    "link_text",
    "match_items",
    "memory_records",
    "mentions",
    "name_files",
    "name_tables",
    "named_columns",
    "notes",
    "passages",
    "mapped_rows",
    "row_records",
    "sentence_lines",
    "scores",
    "sides",
    "table_shapes",
    "tables",
    "text_stream",
    "word_columns",
    "word_rows",
    "xml_stream",
)
