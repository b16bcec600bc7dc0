"""Write the sample of the CLDR graph in ``kg_data/cldr``, which shows the form of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from xadapt.core.files import write_text
from xadapt.data.readers.cldr_graph import build

LANGUAGES = ("en", "de", "sw", "ru", "hi")
ROWS = 50
T = TypeVar("T")


def write_sample(folder: Path | str) -> None:
    """Write ``labels.tsv`` (entity, language, name) and ``triples.tsv`` (head, relation, tail).

    Both have ``ROWS`` rows, taken evenly from the ordered whole, and no header.

    Raises:
        UserError: If the folder can't be written.
    """
    graph = build(LANGUAGES)
    named = [e for e in graph.entities if all(e in graph.labels[tag] for tag in LANGUAGES)]
    entities = _even(named, ROWS // len(LANGUAGES))
    labels = [(e, tag, graph.labels[tag][e]) for e in entities for tag in LANGUAGES]
    triples = [(t.head, t.relation, t.tail) for t in _even(graph.triples, ROWS)]
    for name, rows in (("labels.tsv", labels), ("triples.tsv", triples)):
        text = "".join("\t".join(row) + "\n" for row in rows)
        write_text(Path(folder) / name, text)


def _even(rows: Sequence[T], count: int) -> list[T]:

    return [rows[i * len(rows) // count] for i in range(count)]
