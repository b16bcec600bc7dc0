"""Names of concepts by language, for linking: tables, JSON lines of xMEN, mentions, or graphs.

A source is ``LANGUAGE=PLACE``. A place is

- a table with tabs: concept, name, and up to four further cells that are not read, as
  ``names_fr.tsv`` of the Human Phenotype Ontology;
- JSON lines as xMEN has them: ``concept_id``, ``canonical_name``, ``aliases``;
- a file of mentions with concepts (see `xadapt.data.readers.mentions`), whose texts are names;
- a graph such as ``kg:DIR``, whose names in the language are read.

Source of the JSON form: Borchert et al. 2023, https://arxiv.org/abs/2310.11275;
github.com/hpi-dhc/xmen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError
from xadapt.data.readers.graph_files import json_rows, rows, text_of
from xadapt.data.readers.lines import has_suffix
from xadapt.data.readers.mentions import is_mention_table, read_mentions
from xadapt.languages.tags import normalise

TABLE = "a concept and a name"
JSON = '{"concept_id": "C01", "canonical_name": "Tonsillitis", "aliases": ["Quinsy"]}'


@dataclass(frozen=True, eq=False)
class ConceptNames:
    """Names of concepts, the names of one concept side by side.

    Attributes:
        concepts: The ids of all concepts, each once.
        names: The names; each concept has one or more.
        langs: The language of each name, a position in ``languages``, ``(names,)``.
        owners: The concept of each name ``(names,)``, rising.
        languages: The languages.
    """

    concepts: tuple[str, ...]
    names: tuple[str, ...]
    langs: NDArray[np.int32]
    owners: NDArray[np.int64]
    languages: tuple[str, ...]

    @classmethod
    def of(cls, given: Iterable[tuple[str, str, str]]) -> ConceptNames:
        """Collect names; a name that a concept has twice in one language is kept once.

        Args:
            given: Concepts with a language and a name.

        Raises:
            UserError: If there is no name.
        """
        found: dict[str, dict[tuple[str, str], None]] = {}
        for concept, lang, name in given:
            found.setdefault(concept, {})[lang, name] = None
        if not found:
            raise UserError("there is no name of a concept", where="--names")
        languages = tuple(dict.fromkeys(lang for own in found.values() for lang, _ in own))
        place = {lang: i for i, lang in enumerate(languages)}
        every = [one for own in found.values() for one in own]
        return cls(
            tuple(found),
            tuple(name for _, name in every),
            np.array([place[lang] for lang, _ in every], dtype=np.int32),
            np.repeat(np.arange(len(found)), [len(own) for own in found.values()]),
            languages,
        )

    @cached_property
    def index(self) -> Mapping[str, int]:
        """The position of each concept."""
        return {concept: i for i, concept in enumerate(self.concepts)}

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """The position of the first name of each concept, ``(concepts,)``."""
        return np.searchsorted(self.owners, np.arange(len(self.concepts)))

    def at(self, concept: int) -> tuple[str, ...]:
        """Return the names of a concept, by its position."""
        start = int(self.starts[concept])
        last = concept + 1 == len(self.concepts)
        return self.names[start : len(self.names) if last else int(self.starts[concept + 1])]


def read_concepts(sources: Sequence[str]) -> ConceptNames:
    """Read the names of concepts.

    Args:
        sources: ``LANGUAGE=PLACE``; a concept may be in several.

    Raises:
        UserError: If a source has no language, can't be read, or a line is faulty.
    """
    return ConceptNames.of(row for source in sources for row in _rows(source))


def places(sources: Sequence[str]) -> list[str]:
    """Return the places of sources, without their languages.

    Raises:
        UserError: If a source has no language.
    """
    return [_split(source)[1] for source in sources]


def _split(source: str) -> tuple[str, str]:
    lang, equals, place = source.partition("=")
    if not equals or not place:
        raise UserError(
            f"{source!r} names no language", where="--names", todo="Write such as en=names.tsv"
        )
    return normalise(lang), place


def _rows(source: str) -> Iterator[tuple[str, str, str]]:
    from xadapt.data.readers.graph_source import is_graph, reader_of

    lang, place = _split(source)
    if is_graph(place) and not Path(place).exists():
        reader, folder = reader_of(place)
        for concept, own in reader.read(folder).names(lang).items():
            yield from ((concept, lang, name) for name in own)
    elif has_suffix(place, ".jsonl", ".json"):
        for where, row in json_rows(place, JSON):
            yield from ((_id(row, where), lang, name) for name in _names(row, where))
    elif is_mention_table(place):
        for mention in read_mentions(place):
            yield from ((concept, lang, mention.text) for concept in mention.concepts)
    else:
        for _, cells in rows(place, (2, 6), TABLE):
            yield cells[0], lang, text_of(cells[1], "a name", place)


def _id(row: Mapping[str, Any], where: str) -> str:
    return text_of(row.get("concept_id", row.get("id")), "concept_id", where)


def _names(row: Mapping[str, Any], where: str) -> list[str]:
    aliases = row.get("aliases", row.get("names", []))
    if not isinstance(aliases, list):
        raise UserError("aliases is no list", where=where, todo=f"A line holds {JSON}")
    usual = row.get("canonical_name", row.get("name"))
    given = [*([] if usual is None else [usual]), *aliases]
    if not given:
        raise UserError("this concept has no name", where=where, todo=f"A line holds {JSON}")
    return [text_of(name, "a name", where) for name in given]
