"""Wikidata as files of JSON lines: ``wikidata:DIR``.

``entity.json`` and ``relation.json`` hold ``{"id": "Q64", "labels": {"en": {"value": "Berlin"}}}``
a line, perhaps with ``aliases``; ``triple.txt`` holds facts by ids; ``description.json`` holds
``{"id": "Q64", "descriptions": {"de": "..."}}``; ``triple_en_des.json`` holds English sentences
with the places of subject and object. ``relation.json``, ``description.json`` and
``triple_en_des.json`` may be absent.

Source: Hou et al. 2022, https://arxiv.org/abs/2210.13617, the files of
github.com/yifan-h/Multilingual_Space.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from xadapt.core.errors import UserError
from xadapt.data.graphs.builders import Facts, NameTables
from xadapt.data.graphs.graph import KnowledgeGraph
from xadapt.data.graphs.links import Links
from xadapt.data.readers.graph_files import find_file, json_rows, need_file, text_of, wrong_id
from xadapt.data.readers.notes import noted
from xadapt.languages.tags import is_tag, normalise

MEANING = '{"id": "Q64", "labels": {"en": {"value": "Berlin"}}}'


class LinkedSentence(NamedTuple):
    """An English sentence with the places of a subject and an object, as half-open spans of words.

    Attributes:
        words: The words.
        subject: The span of the subject.
        object: The span of the object.
        subject_id: The entity of the subject.
        object_id: The entity of the object.
    """

    words: tuple[str, ...]
    subject: tuple[int, int]
    object: tuple[int, int]
    subject_id: str
    object_id: str


class Wikidata:
    """Reader of Wikidata's entities, relations and facts."""

    layout: ClassVar[str] = (
        "wikidata:DIR has entity.json and triple.txt, and perhaps relation.json, description.json "
        "and triple_en_des.json"
    )

    def read(self, place: str) -> KnowledgeGraph:
        """Read the graph.

        Raises:
            UserError: If a file is missing or faulty, or a fact names an unknown id.
        """
        table = need_file(place, self.layout, "entity.json")
        entities, labels = _named(table)
        listed = find_file(place, "relation.json")
        relations, spoken = _named(listed) if listed else (None, NameTables())
        facts = Facts(entities, relations, table, listed or "")
        facts.read(need_file(place, self.layout, "triple.txt"), "train")
        found, triples, parts = facts.build()
        about = NameTables()
        path = find_file(place, "description.json")
        for where, row in json_rows(path, "an id and descriptions") if path else ():
            one = text_of(row.get("id"), "id", where)
            if one not in entities:
                raise wrong_id("entity", one, table, where)
            for lang, text in _by_language(row.get("descriptions", {}), where):
                about.add(lang, entities[one], text)
        return KnowledgeGraph(
            Path(place).resolve().name,
            tuple(entities),
            labels.build(entities),
            found,
            triples,
            parts,
            spoken.build(relations or {}),
            about.build(entities),
        )

    def sentences(self, place: str) -> Iterator[LinkedSentence]:
        """Yield the sentences of ``triple_en_des.json``.

        In the file the end of the object is exclusive and that of the subject is inclusive.

        Raises:
            UserError: If the file is missing or faulty.
        """
        path = need_file(place, self.layout, "triple_en_des.json")
        for where, row in json_rows(path, "a sentence with a subject and an object"):
            words = row.get("token")
            if not isinstance(words, list) or not words:
                raise UserError("token is no list of words", where=where)
            found = tuple(text_of(word, "a word", where) for word in words)
            yield LinkedSentence(
                found,
                _span(row, "subj", 1, len(found), where),
                _span(row, "obj", 0, len(found), where),
                text_of(row.get("subj_label"), "subj_label", where),
                text_of(row.get("obj_label"), "obj_label", where),
            )

    def has_links(self, place: str) -> bool:
        """Return False: one entity has the names of all languages."""
        return False

    def links(self, place: str) -> Links:
        """Refuse: this layout has no links.

        Raises:
            UserError: Always.
        """
        raise UserError("this layout has no links", where=place, todo="Give links as a file")


def _named(path: str) -> tuple[dict[str, int], NameTables]:
    index: dict[str, int] = {}
    tables = NameTables()
    skipped: set[str] = set()
    for where, row in json_rows(path, MEANING):
        one = text_of(row.get("id"), "id", where)
        if "\t" in one or " " in one:
            raise UserError(f"{one[:40]!r} is no id", where=where)
        if one in index:
            raise UserError(f"the id {one[:80]!r} stands twice in this file", where=where)
        position = index[one] = len(index)
        for field in ("labels", "aliases"):
            for lang, text in _by_language(row.get(field, {}), where, skipped):
                tables.add(lang, position, text)
    if skipped:
        noted(None).add(path, f"names in {', '.join(sorted(skipped)[:8])} left out: no languages")
    return index, tables


def _by_language(
    value: Any, where: str, skipped: set[str] | None = None
) -> Iterator[tuple[str, str]]:
    """Yield texts by language of ``{"en": "a"}``, ``{"en": {"value": "a"}}`` or lists of these."""
    if not isinstance(value, dict):
        raise UserError("the texts are not given by language", where=where, todo=MEANING)
    for lang, own in value.items():
        if not is_tag(lang):
            if skipped is not None:
                skipped.add(lang[:20])
            continue
        for one in own if isinstance(own, list) else [own]:
            text = one.get("value") if isinstance(one, Mapping) else one
            yield normalise(lang), text_of(text, f"the text in {lang}", where)


def _span(row: Mapping[str, Any], side: str, more: int, size: int, where: str) -> tuple[int, int]:
    start, end = row.get(f"{side}_start"), row.get(f"{side}_end")
    if type(start) is not int or type(end) is not int or not 0 <= start < end + more <= size:
        raise UserError(f"{side}_start and {side}_end are no span of the words", where=where)
    return start, end + more


Part = Wikidata
