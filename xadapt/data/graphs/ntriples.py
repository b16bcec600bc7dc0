r"""RDF as N-Triples: ``ntriples:FILE``.

``rdfs:label`` and ``skos:prefLabel`` are names, ``skos:altLabel`` further names, ``rdfs:comment``
and ``schema:description`` descriptions, by their languages. Other statements between two URIs are
facts; ``owl:sameAs`` is a link. Other statements are not used.

Source: RDF 1.1 N-Triples, https://www.w3.org/TR/n-triples/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from xadapt.core.errors import UserError
from xadapt.data.graphs.builders import Facts, NameTables
from xadapt.data.graphs.graph import NO_LANGUAGE, KnowledgeGraph
from xadapt.data.graphs.links import Links, make_links
from xadapt.data.readers.graph_files import name_of_uri, tidy
from xadapt.data.readers.lines import read_lines
from xadapt.data.readers.sides import is_unicode
from xadapt.languages.tags import is_tag, normalise

SKOS = "http://www.w3.org/2004/02/skos/core#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
FIRST = (f"{RDFS}label", f"{SKOS}prefLabel", "http://schema.org/name")
FURTHER = (f"{SKOS}altLabel",)
ABOUT = (f"{RDFS}comment", "http://schema.org/description", "http://dbpedia.org/ontology/abstract")
SAME = "http://www.w3.org/2002/07/owl#sameAs"
NODE = r"(?:<(?P<{0}>[^\s<>\"]*)>|(?P<{0}_blank>_:\S+))"
LINE = re.compile(
    rf"\s*{NODE.format('subject')}\s+<(?P<property>[^\s<>\"]*)>\s+"
    rf"(?:{NODE.format('object')}|\"(?P<text>(?:[^\"\\]|\\.)*)\""
    r"(?:@(?P<lang>[A-Za-z0-9-]+)|\^\^<[^\s<>]*>)?)\s*\.\s*(?:#.*)?"
)
ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")
PLAIN = {"t": "\t", "b": "\b", "n": "\n", "r": "\r", "f": "\f", '"': '"', "'": "'", "\\": "\\"}
FORM = "A line holds <subject> <property> <object> . or a text in quotes as the object"


class NTriples:
    """Reader of names and facts in RDF."""

    layout: ClassVar[str] = "ntriples:FILE has a statement a line, such as rdfs:label"

    def read(self, place: str) -> KnowledgeGraph:
        """Read the graph. Entities are the URIs with a name, a description or a fact.

        Raises:
            UserError: If the file can't be read, is empty, or a line is no statement.
        """
        index: dict[str, int] = {}
        first, further, about = NameTables(), NameTables(), NameTables()
        facts = Facts(index, None, place)
        kinds = ((FIRST, first), (FURTHER, further), (ABOUT, about))
        of_property = {link: tables for links, tables in kinds for link in links}
        for where, found in _statements(place):
            subject, link = found["subject"], str(found["property"])
            other, text = found["object"], found["text"]
            tables = of_property.get(link)
            if subject is None or link == SAME:
                continue
            if other is not None and tables is None:
                index.setdefault(subject, len(index))
                index.setdefault(other, len(index))
                facts.add(subject, link, other, where, "train")
            elif text is not None and tables is not None:
                words = tidy(_unescaped(text, where))
                lang = found["lang"] or NO_LANGUAGE
                if words and (lang == NO_LANGUAGE or is_tag(lang)):
                    position = index.setdefault(subject, len(index))
                    tables.add(lang if lang == NO_LANGUAGE else normalise(lang), position, words)
        relations, triples, parts = facts.build()
        first.extend(further)
        spoken = NameTables()
        for i, relation in enumerate(relations):
            if relation in index:
                for lang, names in first.of(index[relation]):
                    spoken.add(lang, i, names)
            else:
                spoken.add("en", i, name_of_uri(relation))
        return KnowledgeGraph(
            Path(place).name,
            tuple(index),
            first.build(index),
            relations,
            triples,
            parts,
            spoken.build({relation: i for i, relation in enumerate(relations)}),
            about.build(index),
        )

    def has_links(self, place: str) -> bool:
        """Return False: links by ``owl:sameAs`` usually lead to other graphs."""
        return False

    def links(self, place: str) -> Links:
        """Read the links: statements of ``owl:sameAs``.

        Raises:
            UserError: If the file can't be read, is empty, or a line is no statement.
        """
        same = (found for _, found in _statements(place) if found["property"] == SAME)
        pairs = ((f["subject"], f["object"]) for f in same if f["subject"] and f["object"])
        return make_links(Path(place).name, dict.fromkeys((str(a), str(b)) for a, b in pairs))


def _statements(path: str) -> Iterator[tuple[str, dict[str, str | None]]]:
    number = 0
    for number, line in read_lines(path):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        where = f"{path}:{number}"
        found = LINE.fullmatch(line)
        if found is None:
            raise UserError("this line is no statement of N-Triples", where=where, todo=FORM)
        yield where, {**found.groupdict(), "property": _unescaped(found["property"], where)}
    if not number:
        raise UserError("this file is empty", where=path, todo=FORM)


def _unescaped(text: str, where: str) -> str:
    if "\\" not in text:
        return text

    def plain(found: re.Match[str]) -> str:
        code = found[1] or found[2]
        if code is None:
            if found[3] not in PLAIN:
                raise UserError(f"\\{found[3]} is no escape of N-Triples", where=where)
            return PLAIN[found[3]]
        if int(code, 16) > 0x10FFFF:
            raise UserError(f"{found[0]} is no character", where=where)
        return chr(int(code, 16))

    made = ESCAPE.sub(plain, text)
    if not is_unicode(made):
        raise UserError("this text holds half a surrogate pair", where=where)
    return made


Part = NTriples
