"""DBP-5L in the layout of KEnS: ``dbp5l:DIR/ja``, or ``dbp5l:DIR`` for all languages.

``entity/ja.tsv`` has a name or URI a line, whose number from 0 is the id; ``relations.txt`` has the
names of the relations, numbered alike and shared by all languages; ``kg/ja-train.tsv``,
``ja-val.tsv`` and ``ja-test.tsv`` hold facts; ``seed_alignlinks/ja-en.tsv`` holds pairs of ids,
which may be written as ``3931.0``, in the order of the file's name. The pairs are not one to one.
A language without facts, such as ``de``, has names alone.

Without a language the source means all graphs side by side, with ids ``ja:5``. ``dbp5l:DIR/ja-en``
means the links of two graphs.

Source: Chen et al. 2020, https://arxiv.org/abs/2010.03158; files of github.com/stasl0217/KEnS.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from xadapt.core.errors import UserError
from xadapt.data.graphs.builders import Facts
from xadapt.data.graphs.graph import KnowledgeGraph, PartName
from xadapt.data.graphs.joining import prefixed, united
from xadapt.data.graphs.links import Links, make_links, united_links
from xadapt.data.graphs.names import Names
from xadapt.data.readers.graph_files import (
    find_file,
    name_of_uri,
    need_file,
    require_folder,
    rows,
    split_place,
    tidy,
    whole_number,
    without_ending,
)
from xadapt.data.readers.lines import read_lines
from xadapt.languages.tags import is_tag, normalise

FACTS: dict[PartName, str] = {"train": "train", "dev": "val", "test": "test"}


class Dbp5l:
    """Reader of DBP-5L."""

    layout: ClassVar[str] = (
        "dbp5l:DIR[/LANGUAGE] has entity/LANGUAGE.tsv, relations.txt, kg/LANGUAGE-train.tsv, "
        "-val.tsv, -test.tsv, and seed_alignlinks/A-B.tsv"
    )

    def read(self, place: str) -> KnowledgeGraph:
        """Read one graph, or all graphs side by side.

        Raises:
            UserError: If a file is missing or faulty, or there is no such language.
        """
        folder, lang = split_place(place)
        require_folder(folder, self.layout)
        name = f"{Path(folder).resolve().name}{f'/{lang}' if lang else ''}"
        if lang is not None:
            return self._one(folder, lang, name)
        langs = [stem for stem in _stems(Path(folder) / "entity") if is_tag(stem)]
        if not langs:
            raise UserError("there is no entity/LANGUAGE.tsv", where=folder, todo=self.layout)
        return united(name, {lang: self._one(folder, lang, lang) for lang in langs})

    def _one(self, folder: str, lang: str, name: str) -> KnowledgeGraph:
        if not is_tag(lang):
            raise UserError(f"{lang[:40]!r} is no language", where=folder, todo=self.layout)
        tag = normalise(lang)
        table = need_file(folder, self.layout, f"entity/{lang}.tsv")
        names = [name_of_uri(text) if "/" in text else tidy(text) for text in _lines(table)]
        names = [text.replace("_", " ") for text in names]
        listed = need_file(folder, self.layout, "relations.txt")
        relations = [tidy(text) for text in _lines(listed)]
        entities, ids = _numbers(names), _numbers(relations)
        facts = Facts(entities, ids, table, listed)
        for part, word in FACTS.items():
            path = find_file(folder, f"kg/{lang}-{word}.tsv")
            if path is not None:
                facts.read(path, part)
        if find_file(folder, f"kg/{lang}-train.tsv") is None:
            for word in ("val", "test"):
                if find_file(folder, f"kg/{lang}-{word}.tsv"):
                    need_file(folder, self.layout, f"kg/{lang}-train.tsv")
        found, triples, parts = facts.build()
        return KnowledgeGraph(
            name,
            tuple(entities),
            {tag: Names(tuple(entities), entities, enumerate(names))},
            found,
            triples,
            parts,
            {"en": Names(tuple(ids), ids, enumerate(relations))},
            lang=tag,
        )

    def has_links(self, place: str) -> bool:
        """Return whether the place is the whole folder. Its links have no parts, all are test."""
        return split_place(place)[1] is None and bool(_stems(Path(place) / "seed_alignlinks"))

    def links(self, place: str) -> Links:
        """Read the links of two graphs, or of all. They have no parts.

        Raises:
            UserError: If a file is missing or faulty, or an id is beyond the table of entities.
        """
        folder, last = split_place(place)
        require_folder(folder, self.layout)
        inner = Path(folder) / "seed_alignlinks"
        stems = [stem for stem in _stems(inner) if stem.count("-") == 1]
        name = f"{Path(folder).resolve().name}{f'/{last}' if last else ''}"
        if last is not None:
            backward = "-".join(reversed(last.split("-")))
            if last not in stems and backward in stems:
                return self._links(folder, backward, name).swapped()
            return self._links(folder, last, name)
        if not stems:
            raise UserError("there are no seed_alignlinks", where=folder, todo=self.layout)
        several = (prefixed(self._links(folder, s, name), *s.split("-")) for s in stems)
        return united_links(name, several)

    def _links(self, folder: str, stem: str, name: str) -> Links:
        path = need_file(folder, self.layout, f"seed_alignlinks/{stem}.tsv")
        tables = [need_file(folder, self.layout, f"entity/{x}.tsv") for x in stem.split("-")]
        sizes = [sum(1 for _ in read_lines(table)) for table in tables]

        def pairs() -> Iterator[tuple[str, str]]:
            for where, cells in rows(path, 2, "two ids"):
                both = [whole_number(cell, where, floats=True) for cell in cells]
                for one, size, table in zip(both, sizes, tables, strict=True):
                    if one >= size:
                        raise UserError(
                            f"the id {one} is beyond the {size:,} lines of {Path(table).name}",
                            where=where,
                            todo="Check that the columns are in the order of the file's name",
                        )
                yield str(both[0]), str(both[1])

        return make_links(name, dict.fromkeys(pairs()))


def _lines(path: str) -> list[str]:
    """Return the lines of a file whose numbers are ids."""
    found = []
    for number, line in read_lines(path):
        if not line.strip():
            raise UserError(
                "this line is empty, and line numbers are ids",
                where=f"{path}:{number}",
                todo="Write a name on each line",
            )
        found.append(line)
    if not found:
        raise UserError("this file is empty", where=path)
    return found


def _numbers(texts: list[str]) -> dict[str, int]:
    return {str(i): i for i in range(len(texts))}


def _stems(folder: Path) -> list[str]:
    """Return the names of the tables of a folder, without endings."""
    if not folder.is_dir():
        return []
    found = []
    for path in sorted(folder.iterdir()):
        plain = without_ending(path.name)
        if path.is_file() and plain.endswith(".tsv"):
            found.append(plain.removesuffix(".tsv"))
    return found


Part = Dbp5l
