"""Names of WikiKGE-10: ``wikikge:DIR``, or ``wikikge:DIR/de``.

A folder such as ``wikidata``, ``gold`` or ``gpt`` has files ``de.jsonl`` or ``de.NAME.jsonl``
with a line an entity. ``values`` holds names, or scores with names; ``correct_values`` holds right
names and ``incorrect_values`` wrong ones, which are attributes ``incorrect de`` of the entity.
Primary names come first. There are no facts, and the entities of two languages are mostly others:
this is no table of translations.

Source: Conia et al. 2023, https://arxiv.org/abs/2311.15781; files of github.com/apple/ml-kge.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from xadapt.core.errors import UserError
from xadapt.data.graphs.builders import NameTables
from xadapt.data.graphs.graph import KnowledgeGraph
from xadapt.data.graphs.links import Links
from xadapt.data.readers.graph_files import (
    json_rows,
    require_folder,
    split_place,
    text_of,
    without_ending,
)
from xadapt.languages.tags import is_tag, normalise

MEANING = '{"wikidata_id": "Q64", "values": ["Berlin"]}'


class WikiKge:
    """Reader of names of entities."""

    layout: ClassVar[str] = "wikikge:DIR[/LANGUAGE] has files such as de.jsonl or de.gpt-4.jsonl"

    def read(self, place: str) -> KnowledgeGraph:
        """Read the names of all languages, or of one.

        Raises:
            UserError: If there are no files of names, or a line is faulty.
        """
        folder, last = split_place(place)
        require_folder(folder, self.layout)
        files: list[tuple[str, Path]] = []
        for path in sorted(Path(folder).iterdir()):
            plain = without_ending(path.name)
            lang = plain.split(".")[0]
            if path.is_file() and plain.endswith(".jsonl") and is_tag(lang):
                files.append((normalise(lang), path))
        chosen = [one for one in files if last in (None, one[0])]
        if not chosen:
            raise UserError("there are no such names in this folder", where=place, todo=self.layout)
        index: dict[str, int] = {}
        tables = NameTables()
        wrong: dict[str, tuple[tuple[str, str], ...]] = {}
        for lang, path in chosen:
            for where, row in json_rows(str(path), MEANING):
                entity = text_of(row.get("wikidata_id"), "wikidata_id", where)
                position = index.setdefault(entity, len(index))
                for name in _names(row, where):
                    tables.add(lang, position, name)
                bad = [text_of(n, "a name", where) for n in _list(row, "incorrect_values", where)]
                if bad:
                    own = ((f"incorrect {lang}", name) for name in bad)
                    wrong[entity] = (*wrong.get(entity, ()), *own)
        langs = {lang for lang, _ in chosen}
        return KnowledgeGraph(
            f"{Path(folder).resolve().name}{f'/{last}' if last else ''}",
            tuple(index),
            tables.build(index),
            attributes=wrong,
            lang=langs.pop() if len(langs) == 1 else None,
        )

    def has_links(self, place: str) -> bool:
        """Return False: an entity has one id in all languages."""
        return False

    def links(self, place: str) -> Links:
        """Refuse: this layout has no links.

        Raises:
            UserError: Always.
        """
        raise UserError("this layout has no links", where=place, todo="Give links as a file")


def _names(row: Mapping[str, Any], where: str) -> Iterator[str]:
    """Yield the names of a row, primary ones first, then as in the row."""
    values = _list(row, "correct_values" if "correct_values" in row else "values", where)
    flags = row.get("primary")
    ranked = []
    for i, value in enumerate(values):
        scored = isinstance(value, list)
        if scored and len(value) != 3:
            raise UserError("a value is no [score, name, primary]", where=where, todo=MEANING)
        name = text_of(value[1] if scored else value, "a name", where)
        is_first = value[2] if scored else isinstance(flags, list) and flags[i : i + 1] == [True]
        ranked.append((not is_first, name))
    return (name for _, name in sorted(ranked, key=lambda one: one[0]))


def _list(row: Mapping[str, Any], key: str, where: str) -> list[Any]:
    found = row.get(key, [])
    if not isinstance(found, list):
        raise UserError(f"{key} is no list", where=where, todo=MEANING)
    return found


Part = WikiKge
