"""DBP15K in the layout of JAPE: ``dbp15k:DIR`` for both graphs, ``dbp15k:DIR/1``, ``dbp15k:DIR/2``.

``ent_ids_1`` and ``ent_ids_2`` hold id and URI, with one space of ids; ``triples_1`` and
``triples_2`` hold facts by ids; ``sup_ent_ids`` are the training links and ``ref_ent_ids`` the test
links, or ``ill_ent_ids`` all links without parts; ``training_attrs_1`` and ``training_attrs_2``
hold a URI and its types of attributes. A name is the end of the URI.

Source: Sun et al. 2017, https://arxiv.org/abs/1708.05045; files of github.com/nju-websoft/JAPE.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from xadapt.core.errors import UserError
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
    whole_number,
    wrong_id,
)

GRAPHS = ("1", "2")


class Dbp15k:
    """Reader of DBP15K."""

    layout: ClassVar[str] = (
        "dbp15k:DIR[/1 or /2] has ent_ids_1, ent_ids_2, triples_1, triples_2, and sup_ent_ids with "
        "ref_ent_ids, or ill_ent_ids"
    )

    def read(self, place: str) -> KnowledgeGraph:
        """Read both graphs side by side, or one.

        Raises:
            UserError: If a file is missing or faulty.
        """
        folder, number = split_place(place, GRAPHS)
        name = f"{Path(folder).resolve().name}{f'/{number}' if number else ''}"
        if number is not None:
            return self._one(folder, number, name)
        return side_by_side(name, self._one(folder, "1", name), self._one(folder, "2", name))

    def _one(self, folder: str, number: str, name: str) -> KnowledgeGraph:
        table = need_file(folder, self.layout, f"ent_ids_{number}")
        index: dict[str, int] = {}
        uris: dict[str, str] = {}
        texts: list[str] = []
        for where, (one, uri) in rows(table, 2, "id and URI"):
            whole_number(one, where)
            if one in index:
                raise UserError(f"the id {one} stands twice in this file", where=where)
            uris[uri] = one
            index[one] = len(index)
            texts.append(name_of_uri(uri))
        default = languages_of_folder(folder)[GRAPHS.index(number)]
        lang = language_of_uri(next(iter(uris)), default)
        facts = Facts(index, None, table)
        facts.read(need_file(folder, self.layout, f"triples_{number}"), "train")
        attributes: dict[str, tuple[tuple[str, str], ...]] = {}
        path = find_file(folder, f"training_attrs_{number}")
        for where, cells in rows(path, (1, 10**6), "URI and attributes") if path else ():
            if cells[0] not in uris:
                raise wrong_id("entity", cells[0], table, where)
            attributes[uris[cells[0]]] = tuple((cell, "") for cell in cells[1:] if cell)
        return KnowledgeGraph(
            name,
            tuple(index),
            {lang: Names(tuple(index), index, enumerate(texts))},
            *facts.build(),
            attributes=attributes,
            lang=lang,
        )

    def has_links(self, place: str) -> bool:
        """Return whether the place is the whole folder, with links."""
        folder, number = split_place(place, GRAPHS)
        return number is None and find_file(folder, "sup_ent_ids", "ill_ent_ids") is not None

    def links(self, place: str) -> Links:
        """Read the links.

        Raises:
            UserError: If a file is missing or faulty, or a link is in train and in test.
        """
        folder, _ = split_place(place, GRAPHS)
        name = Path(folder).resolve().name
        if find_file(folder, "sup_ent_ids") is None:
            return links_of_file(name, need_file(folder, self.layout, "ill_ent_ids"), "two ids")
        files: dict[PartName, str] = {
            "train": need_file(folder, self.layout, "sup_ent_ids"),
            "test": need_file(folder, self.layout, "ref_ent_ids"),
        }
        return links_by_part(name, files, "two ids")


Part = Dbp15k
