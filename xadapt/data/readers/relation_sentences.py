"""Read sentences with a marked object, as in T-REx: JSON lines.

A row is ``{"token": [..], "subj_start": .., "subj_end": .., "obj_start": .., "obj_end": ..,
"obj_label": "Q64"}``, where the end of the subject is inclusive and that of the object exclusive;
or ``{"text": .., "mentions": [{"start": .., "end": .., "id": "Q64"}, ..]}`` with ends exclusive,
in characters, of which the last mention is the object.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.graph_rows import GraphRows, named_rows
from xadapt.data.readers.jsonl import parse_object
from xadapt.data.readers.lines import read_lines
from xadapt.data.readers.linked_sentences import mentions_of, text_of_row
from xadapt.data.readers.notes import Notes, RowError, attempt, noted, without_faulty
from xadapt.data.records import EntityMention


@dataclass(frozen=True)
class RelationSentences:
    """Reader of sentences and the entity that is cut out of them.

    Attributes:
        names: A graph with the names of entities; without one, and for entities that it lacks, the
            mention itself is the name.
        pair_with: Languages of the names beside that of the sentences; ``all`` means every language
            of the graph.
    """

    names: str = ""
    pair_with: tuple[str, ...] = ("all",)

    format: ClassVar[str] = "relation_sentences"
    gives: ClassVar[type] = EntityMention

    def claims(self, source: str, request: object) -> bool:
        """Return False: a recipe names this reader."""
        return False

    def read(self, source: str, lang: str, notes: Notes | None = None) -> Iterator[EntityMention]:
        """Stream the sentences.

        Args:
            source: The file.
            lang: Language of the sentences.
            notes: Where skipped rows are counted.

        Raises:
            UserError: If a line is no JSON object, half of the rows are faulty, or there is none.
        """
        found = noted(notes)
        graph = named_rows(self.names, found) if self.names else None

        def made() -> Iterator[EntityMention | RowError]:
            for number, line in read_lines(source):
                where = f"{source}:{number}"
                if line.strip():
                    yield attempt(self._row, parse_object(line, where), lang, where, graph)

        empty = True
        for record in without_faulty(made(), source, found, "sentence"):
            empty = False
            yield record
        if empty:
            raise UserError("there is no sentence in this file", where=source)

    def _row(
        self, row: Mapping[str, Any], lang: str, where: str, graph: GraphRows | None
    ) -> EntityMention:
        if "token" in row:
            text, span = _of_tokens(row, where)
            entity = str(row.get("obj_label") or "")
        else:
            text = text_of_row(row, where)
            mentions = mentions_of(row, text, where)
            if not mentions:
                raise RowError("this sentence has no mention", where=where)
            *span_, entity = mentions[-1]
            span = (span_[0], span_[1])
        own = ((lang, text[slice(*span)]),)
        if not (text[: span[0]] + text[span[1] :]).strip():
            raise RowError("the mention is the whole sentence", where=where)
        names: tuple[tuple[str, str], ...] = own
        if graph is not None:
            langs = graph.chosen(next(iter(graph.names)), (lang, *self.pair_with), self.names)
            names = graph.of(entity, langs) or own
        return EntityMention(text, span, entity or own[0][1], names, lang, origin=where)


def _of_tokens(row: Mapping[str, Any], where: str) -> tuple[str, tuple[int, int]]:
    """Join tokens by spaces; the object's end is exclusive."""
    tokens = row.get("token")
    start, end = row.get("obj_start"), row.get("obj_end")
    if not isinstance(tokens, Sequence) or isinstance(tokens, str):
        raise RowError("token is no list", where=where)
    words = [str(token) for token in tokens]
    if not all(isinstance(n, int) and not isinstance(n, bool) for n in (start, end)):
        raise RowError("obj_start and obj_end are no numbers", where=where)
    assert isinstance(start, int) and isinstance(end, int)
    if not 0 <= start < end <= len(words):
        raise RowError(
            f"the object {start} to {end} is not inside the {len(words)} tokens", where=where
        )
    before = len(" ".join(words[:start])) + (start > 0)
    return " ".join(words), (before, before + len(" ".join(words[start:end])))


Part = RelationSentences
