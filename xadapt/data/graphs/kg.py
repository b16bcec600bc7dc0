"""The layout of ``xadapt kg build``, and two simple ones: ``kg:DIR``, ``kg:DIR/ja``.

One graph in many languages, as ``xadapt kg build`` writes it:

- ``entities.tsv``: an id a line.
- ``names_ja.tsv``: id, name. An entity may have several; the first is its usual one.
- ``train.tsv``, ``dev.tsv``, ``test.tsv``: head, relation, tail.
- ``relations.tsv``: an id a line; ``relation_names_en.tsv``: id, name.
- ``descriptions_ja.tsv``: id, text. ``attributes.tsv``: id, attribute, value.
- ``links_train.tsv``, ``links_dev.tsv``, ``links_test.tsv``: id, id; or ``links.tsv``: id, id,
  part.

A graph a language: folders named by their language with ``entities.tsv`` (id, name) and facts;
``relations.txt`` with a name on each line, whose number from 0 is the id; and ``align_ja-en.tsv``
(id, id, part). Without a language the source means all graphs side by side, with ids ``ja:5``.

Two graphs with one space of ids: ``ent_1.tsv`` and ``ent_2.tsv`` (id, name), ``triples_1.tsv`` and
``triples_2.tsv``, ``align_train.tsv`` and ``align_test.tsv``. The name of the folder ends with the
languages: ``dbp15k_ja_en``. ``kg:DIR/1`` and ``kg:DIR/2`` mean one of them.

Files may be compressed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from xadapt.core.errors import UserError
from xadapt.data.graphs.builders import Facts
from xadapt.data.graphs.graph import NO_LANGUAGE, KnowledgeGraph, PartName
from xadapt.data.graphs.joining import prefixed, side_by_side, united
from xadapt.data.graphs.links import Links, links_by_part, united_links
from xadapt.data.graphs.names import Names
from xadapt.data.graphs.opening import read_link_file
from xadapt.data.readers.graph_files import (
    find_file,
    languages_of_folder,
    need_file,
    require_folder,
    rows,
    split_place,
    tidy,
    without_ending,
    wrong_id,
)
from xadapt.languages.tags import is_tag, normalise

FACTS: dict[PartName, tuple[str, ...]] = {
    "train": ("train.tsv",),
    "dev": ("dev.tsv", "val.tsv", "valid.tsv"),
    "test": ("test.tsv",),
}
ALIGNED = re.compile(r"align_([A-Za-z-]+?)-([A-Za-z]+)\.tsv")
PAIR = re.compile(r"([A-Za-z]+)-([A-Za-z]+)")


class Kg:
    """Reader of folders of names, facts and links as tables."""

    layout: ClassVar[str] = (
        "kg:DIR[/LANGUAGE] has entities.tsv, names_LANGUAGE.tsv, train.tsv and links.tsv; or a "
        "folder a language; or ent_1.tsv, ent_2.tsv, triples_1.tsv, triples_2.tsv"
    )

    def read(self, place: str) -> KnowledgeGraph:
        """Read one graph, or all graphs of a folder side by side.

        Raises:
            UserError: If a file is missing or faulty, or there is no such language.
        """
        folder, last = _split(place)
        require_folder(folder, self.layout)
        name = f"{Path(folder).resolve().name}{f'/{last}' if last else ''}"
        if find_file(folder, "entities.tsv"):
            whole = _multilingual(folder, name)
            return whole if last is None else whole.in_language(_language(last))
        if find_file(folder, "ent_1.tsv"):
            return _twins(folder, name, last, self.layout)
        langs = _folders(folder)
        if last is not None:
            if last not in langs:
                raise UserError(
                    f"there is no graph {last[:40]!r} in this folder",
                    where=folder,
                    todo=f"It has {', '.join(langs)}" if langs else self.layout,
                )
            return _monolingual(folder, last, name, self.layout)
        if not langs:
            raise UserError("there is no graph in this folder", where=folder, todo=self.layout)
        return united(name, {lang: _monolingual(folder, lang, lang, self.layout) for lang in langs})

    def has_links(self, place: str) -> bool:
        """Return whether the place is a whole folder with links."""
        folder, last = _split(place)
        if last is not None or not Path(folder).is_dir():
            return False
        kinds = ("links", "align")
        plain = ("links.tsv", *(f"{kind}_{part}.tsv" for kind in kinds for part in FACTS))
        return find_file(folder, *plain) is not None or any(True for _ in _aligned(folder))

    def links(self, place: str) -> Links:
        """Read the links: all of a folder, or those of ``kg:DIR/ja-en``.

        Raises:
            UserError: If a file is missing or faulty, or one pair is in two parts.
        """
        folder, last = _split(place)
        require_folder(folder, self.layout)
        name = f"{Path(folder).resolve().name}{f'/{last}' if last else ''}"
        if find_file(folder, "entities.tsv"):
            whole = find_file(folder, "links.tsv")
            return read_link_file(whole, name) if whole else _by_part(folder, "links", name)
        if find_file(folder, "ent_1.tsv"):
            return _by_part(folder, "align", name)
        found = dict(_aligned(folder))
        if last is not None:
            left, _, right = last.partition("-")
            if (left, right) in found:
                return read_link_file(found[left, right], name)
            if (right, left) in found:
                return read_link_file(found[right, left], name).swapped()
            raise UserError(
                f"there are no links {last[:40]!r} in this folder", where=folder, todo=self.layout
            )
        several = [prefixed(read_link_file(path, name), *pair) for pair, path in found.items()]
        if not several:
            raise UserError("there are no links in this folder", where=folder, todo=self.layout)
        return united_links(name, several)


def _split(place: str) -> tuple[str, str | None]:
    """Split off a language, the number of a graph, or a pair of languages."""
    whole = place.rstrip("/")
    folder, slash, last = whole.rpartition("/")
    short = last in ("1", "2") or PAIR.fullmatch(last) or is_tag(last)
    inside = (
        bool(slash)
        and bool(short)
        and any(find_file(folder, name) for name in ("entities.tsv", "ent_1.tsv", "relations.txt"))
    )
    return (folder, last) if inside else split_place(place)


def _language(tag: str) -> str:
    return tag if tag == NO_LANGUAGE else normalise(tag)


def _folders(folder: str) -> list[str]:
    inner = [one for one in sorted(Path(folder).iterdir()) if one.is_dir() and is_tag(one.name)]
    return [one.name for one in inner if find_file(str(one), "entities.tsv", "train.tsv")]


def _aligned(folder: str) -> Iterator[tuple[tuple[str, str], str]]:
    for path in sorted(Path(folder).iterdir()):
        plain = without_ending(path.name)
        found = ALIGNED.fullmatch(plain)
        if found and path.is_file():
            yield (found[1], found[2]), str(path)


def _multilingual(folder: str, name: str) -> KnowledgeGraph:
    """Read one graph in the layout of ``xadapt kg build``."""
    table = str(find_file(folder, "entities.tsv"))
    entities = _ids(table, "the id of an entity")
    relation_table = find_file(folder, "relations.tsv")
    relations = _ids(relation_table, "the id of a relation") if relation_table else None
    facts = Facts(entities, relations, table, relation_table or "")
    for part, names in FACTS.items():
        path = find_file(folder, *names)
        if path is not None:
            facts.read(path, part)
    found, triples, parts = facts.build()
    place = {relation: i for i, relation in enumerate(found)}
    attributes: dict[str, tuple[tuple[str, str], ...]] = {}
    path = find_file(folder, "attributes.tsv")
    for where, cells in rows(path, (2, 3), "id, attribute and value") if path else ():
        if cells[0] not in entities:
            raise wrong_id("entity", cells[0], table, where)
        own = (cells[1], cells[2] if len(cells) > 2 else "")
        attributes[cells[0]] = (*attributes.get(cells[0], ()), own)
    return KnowledgeGraph(
        name,
        tuple(entities),
        _by_language(folder, "names", entities, table),
        found,
        triples,
        parts,
        _by_language(folder, "relation_names", place, relation_table or table),
        _by_language(folder, "descriptions", entities, table),
        attributes,
    )


def _ids(path: str, meaning: str) -> dict[str, int]:
    index: dict[str, int] = {}
    for where, (one,) in rows(path, 1, meaning):
        if one in index:
            raise UserError(f"the id {one[:80]!r} stands twice in this file", where=where)
        index[one] = len(index)
    return index


def _by_language(folder: str, kind: str, index: dict[str, int], table: str) -> dict[str, Names]:
    form = re.compile(re.escape(kind) + r"_([A-Za-z0-9-]+)\.tsv(\.(gz|bz2|xz|zst))?")
    made = {}
    for path in sorted(Path(folder).iterdir()):
        found = form.fullmatch(path.name)
        if found and path.is_file():
            made[_language(found[1])] = _names(str(path), index, table)
    return made


def _names(path: str, index: dict[str, int], table: str) -> Names:
    def named() -> Iterator[tuple[int, str]]:
        for where, (one, text) in rows(path, 2, "id and name"):
            if one not in index:
                raise wrong_id("entity", one, table, where)
            yield index[one], tidy(text)

    return Names(tuple(index), index, named())


def _monolingual(folder: str, lang: str, name: str, layout: str) -> KnowledgeGraph:
    """Read the graph of one language of a folder with a graph a language."""
    own = str(Path(folder) / lang)
    tag = normalise(lang)
    table = need_file(own, layout, "entities.tsv")
    entities, labels = _named(table, tag)
    listed = need_file(folder, layout, "relations.txt")
    relations, named = _listed_relations(listed)
    facts = Facts(entities, relations, table, listed)
    for part, names in FACTS.items():
        facts.read(need_file(own, layout, *names), part)
    found, triples, parts = facts.build()
    return KnowledgeGraph(
        name, tuple(entities), {tag: labels}, found, triples, parts, named, lang=tag
    )


def _named(path: str, tag: str) -> tuple[dict[str, int], Names]:
    """Read a table of ids and names."""
    index: dict[str, int] = {}

    def named() -> Iterator[tuple[int, str]]:
        for where, cells in rows(path, 2, "id and name"):
            if cells[0] in index:
                raise UserError(f"the id {cells[0][:80]!r} stands twice in this file", where=where)
            index[cells[0]] = len(index)
            yield index[cells[0]], tidy(cells[1])

    packed = list(named())
    return index, Names(tuple(index), index, packed)


def _listed_relations(path: str) -> tuple[dict[str, int], dict[str, Names]]:
    """Read names of relations; the number of a line, from 0, is the id."""
    names = [cells[0] for _, cells in rows(path, 1, "the name of a relation")]
    ids = tuple(map(str, range(len(names))))
    index = {one: i for i, one in enumerate(ids)}
    return index, {"en": Names(ids, index, enumerate(names))}


def _twins(folder: str, name: str, last: str | None, layout: str) -> KnowledgeGraph:
    """Read two graphs with one space of ids, or one of them."""
    langs = languages_of_folder(folder)
    if last is not None and last not in ("1", "2", *langs):
        raise UserError(
            f"there is no graph {last[:40]!r} in this folder", where=folder, todo=layout
        )
    graphs = []
    for number, lang in zip(("1", "2"), langs, strict=True):
        if last in (None, number) or last == lang:
            table = need_file(folder, layout, f"ent_{number}.tsv")
            entities, labels = _named(table, lang)
            facts = Facts(entities, None, table)
            facts.read(need_file(folder, layout, f"triples_{number}.tsv"), "train")
            graphs.append(
                KnowledgeGraph(name, tuple(entities), {lang: labels}, *facts.build(), lang=lang)
            )
    return graphs[0] if len(graphs) == 1 else side_by_side(name, graphs[0], graphs[1])


def _by_part(folder: str, kind: str, name: str) -> Links:
    """Read a file of links for each part, such as ``links_train.tsv``."""
    paths = {part: find_file(folder, f"{kind}_{part}.tsv") for part in FACTS}
    files = {part: path for part, path in paths.items() if path is not None}
    if not files:
        raise UserError(
            f"there is no {kind}_train.tsv in this folder", where=folder, todo=Kg.layout
        )
    return links_by_part(name, files, "two ids")


Part = Kg
