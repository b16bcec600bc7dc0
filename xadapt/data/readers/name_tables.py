"""Names of entities by language, of a knowledge graph or of dictionaries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from xadapt.core.errors import UserError
from xadapt.data.readers.cldr import read_labels
from xadapt.data.readers.dictionary import Dictionary
from xadapt.data.readers.graph_rows import named_rows
from xadapt.data.readers.graph_source import is_graph
from xadapt.data.readers.notes import Notes
from xadapt.languages.tags import is_tag, normalise

NameTable = Mapping[str, Mapping[str, tuple[str, ...]]]
PLACE = "{lang}"
PIVOT = "en"


def read_name_table(source: str) -> NameTable:
    """Read names by language, then by entity; the first name of an entity is its usual one.

    Args:
        source: A knowledge graph (``cldr:all``, ``kg:DIR``), or dictionaries from English with
            ``{lang}`` in their path, such as ``dictionaries/en-{lang}.tsv``. Of these, an English
            word is an entity, and its translations are names.

    Raises:
        UserError: If the source is neither, or can't be read.
    """
    if PLACE in source:
        return _dictionaries(source)
    if not is_graph(source):
        raise UserError(
            "this is no source of names",
            where=source,
            todo="Name a graph, such as cldr:all or kg:DIR, or dictionaries: DIR/en-{lang}.tsv",
        )
    return _graph(source)


def read_graph_labels(lang: str) -> dict[str, str]:
    """Return the names of the built-in graph in a language, by entity.

    Raises:
        UserError: If the graph lacks the language.
    """
    return {row.entity: row.label for row in read_labels("cldr:all", lang)}


def _graph(source: str) -> NameTable:
    rows = named_rows(source, Notes())
    return {
        lang: {entity: tuple(names) for entity, names in own.items()}
        for lang, own in rows.names.items()
    }


def _dictionaries(source: str) -> NameTable:
    before, _, after = source.partition(PLACE)
    folder = Path(before).parent if not before.endswith("/") else Path(before)
    start = before.rpartition("/")[2]
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    english: dict[str, tuple[str, ...]] = {}
    for path in sorted(folder.glob("*")) if folder.is_dir() else []:
        lang = path.name.removeprefix(start).removesuffix(after)
        if path.name != f"{start}{lang}{after}" or not is_tag(lang):
            continue
        own = found.setdefault(normalise(lang), {})
        for entry in Dictionary().read(str(path), normalise(lang)):
            english.setdefault(entry.pivot, (entry.pivot,))
            own[entry.pivot] = tuple(dict.fromkeys((*own.get(entry.pivot, ()), entry.word)))
    if not found:
        raise UserError("no dictionary has such a name", where=source)
    return {PIVOT: english, **found}
