"""OpenEA: ``openea:DIR`` for both graphs, ``openea:DIR/1``, ``openea:DIR/2``, ``openea:DIR/fold3``.

``rel_triples_1`` and ``rel_triples_2`` hold facts by URIs; ``attr_triples_1`` and
``attr_triples_2`` hold URI, attribute and value; ``ent_links`` holds all links, and
``721_5fold/1`` to ``721_5fold/5`` have ``train_links``, ``valid_links`` and ``test_links``. The
first fold is read unless another is named. A name is the value of an attribute that means a name,
or else the end of the URI.

Source: Sun et al. 2020, https://arxiv.org/abs/2003.07743; data of github.com/nju-websoft/OpenEA.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from xadapt.data.graphs.builders import Facts
from xadapt.data.graphs.graph import KnowledgeGraph, PartName
from xadapt.data.graphs.joining import side_by_side
from xadapt.data.graphs.links import Links, links_by_part, links_of_file
from xadapt.data.graphs.names import Names
from xadapt.data.readers.graph_files import (
    find_file,
    language_of_uri,
    languages_of_folder,
    name_of_uri,
    need_file,
    rows,
    split_place,
    tidy,
)

GRAPHS = ("1", "2")
FOLDS = tuple(f"fold{n}" for n in range(1, 6))
NAMES = (
    "http://www.w3.org/2000/01/rdf-schema#label",
    "http://www.w3.org/2004/02/skos/core#prefLabel",
    "http://xmlns.com/foaf/0.1/name",
    "http://schema.org/name",
)
"""Attributes that mean a name, the best first."""
LITERAL = re.compile(r'"(.*)"(\^\^<?[^\s"]+>?|@[A-Za-z-]+)?')
PARTS: dict[str, PartName] = {"train_links": "train", "valid_links": "dev", "test_links": "test"}


class OpenEa:
    """Reader of the data sets of OpenEA."""

    layout: ClassVar[str] = (
        "openea:DIR[/1, /2 or /fold1] has rel_triples_1, rel_triples_2, attr_triples_1, "
        "attr_triples_2, ent_links and 721_5fold"
    )

    def read(self, place: str) -> KnowledgeGraph:
        """Read both graphs side by side, or one.

        Raises:
            UserError: If a file is missing or faulty.
        """
        folder, last = split_place(place, (*GRAPHS, *FOLDS))
        name = Path(folder).resolve().name
        if last in GRAPHS:
            return self._one(folder, str(last), f"{name}/{last}")
        return side_by_side(name, self._one(folder, "1", name), self._one(folder, "2", name))

    def _one(self, folder: str, number: str, name: str) -> KnowledgeGraph:
        path = need_file(folder, self.layout, f"rel_triples_{number}")
        index: dict[str, int] = {}
        for _, (head, _, tail) in rows(path, 3, "head, relation and tail"):
            index.setdefault(head, len(index))
            index.setdefault(tail, len(index))
        attributes: dict[str, list[tuple[str, str]]] = {}
        of_file = find_file(folder, f"attr_triples_{number}")
        cells_of = rows(of_file, (3, 10**6), "URI, attribute and value") if of_file else ()
        for _, (entity, attribute, *value) in cells_of:
            index.setdefault(entity, len(index))
            attributes.setdefault(entity, []).append((attribute, _plain("\t".join(value))))
        facts = Facts(index, None, path)
        facts.read(path, "train")
        default = languages_of_folder(folder)[GRAPHS.index(number)]
        lang = language_of_uri(next(iter(index)), default)

        def names() -> Iterator[tuple[int, str]]:
            for entity, i in index.items():
                own = attributes.get(entity, ())
                given = [text for key in NAMES for name, text in own if name == key and text]
                yield from ((i, text) for text in given or [name_of_uri(entity)])

        return KnowledgeGraph(
            name,
            tuple(index),
            {lang: Names(tuple(index), index, names())},
            *facts.build(),
            attributes={entity: tuple(own) for entity, own in attributes.items()},
            lang=lang,
        )

    def has_links(self, place: str) -> bool:
        """Return whether the place is the whole folder, with links."""
        folder, last = split_place(place, (*GRAPHS, *FOLDS))
        inside = find_file(folder, "ent_links", "721_5fold/1/train_links")
        return last not in GRAPHS and inside is not None

    def links(self, place: str) -> Links:
        """Read the links of a fold, or of ``ent_links`` if there are no folds.

        Raises:
            UserError: If a file is missing or faulty, or a link is in two parts.
        """
        folder, last = split_place(place, (*GRAPHS, *FOLDS))
        name = Path(folder).resolve().name
        fold = f"721_5fold/{last.removeprefix('fold') if last in FOLDS and last else '1'}"
        if not (Path(folder) / fold).is_dir() and last not in FOLDS:
            return links_of_file(name, need_file(folder, self.layout, "ent_links"), "two URIs")
        files = {
            part: need_file(folder, self.layout, f"{fold}/{file}") for file, part in PARTS.items()
        }
        return links_by_part(name, files, "two URIs")


def _plain(value: str) -> str:
    """Return the text of a literal without quotes, type and language."""
    found = LITERAL.fullmatch(value)
    return tidy(found[1] if found else value)


Part = OpenEa
