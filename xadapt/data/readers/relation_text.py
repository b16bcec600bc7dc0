r"""Read relations as text with tags: SemEval-2010 task 8, KBP37 and RELX.

A line is id, text and relation with tabs between, ``17 <e1>Ada</e1> founded <e2>Acme</e2>.
org:founded_by(e2,e1)``; or text and relation alone. In the files of SemEval-2010 and KBP37 the
relation stands on the line below id and text, which may be in quotation marks, and a line
``Comment:`` follows; that is read too. ``<e1>`` is the head and ``<e2>`` the tail; so are ``<H>``
and ``<T>``, and ``<b>`` and ``<i>``. Spaces just inside a tag are no part of the entity.

Source: Hendrickx et al. 2010, https://aclanthology.org/S10-1006; Köksal and Özgür 2020 (RELX),
https://arxiv.org/abs/2010.09381.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, islice
from typing import ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import read_lines
from xadapt.data.readers.notes import Notes, RowError, attempt, noted
from xadapt.data.readers.tacred import Each, filled, record
from xadapt.data.records import RelationExample
from xadapt.functional.entity_tags import NAMES, read_tags

FORM = "A line is text with <e1>..</e1> and <e2>..</e2>, a tab, and the relation"
TAGGED = re.compile(r"<\s*/?\s*(?:e1|e2|H|T|b|i)\s*>", re.IGNORECASE)


class RelationText:
    """Reader of texts with two tagged entities. It never claims a file."""

    format: ClassVar[str] = "relation_text"
    gives: ClassVar[type] = RelationExample

    def claims(self, source: str, request: object) -> bool:
        """Return False: a recipe or a command names this reader."""
        return False

    def read(self, source: str, lang: str, notes: Notes | None = None) -> Iterator[RelationExample]:
        """Stream the texts.

        Args:
            source: The file.
            lang: Language of the texts.
            notes: Where skipped rows are reported.

        Raises:
            UserError: If no line has tags, or half of the rows are faulty: a tag is missing, not in
                pairs or around nothing, or there is no relation.
        """
        yield from filled(self.read_each(source, lang), source, noted(notes))

    def read_each(self, source: str, lang: str) -> Each:
        """Yield the text of each row, or the fault of a faulty row.

        Args:
            source: The file.
            lang: Language of the texts.

        Raises:
            UserError: If the file can't be read, or none of its first lines has a tag.
        """
        lines = read_lines(source)
        first = list(islice(lines, 20))
        if not any(TAGGED.search(text) for _, text in first):
            raise UserError("there is no text with tags in this file", where=source, todo=FORM)
        waiting: tuple[str, list[str]] | None = None
        for number, line in chain(first, lines):
            where = f"{source}:{number}"
            cells = line.split("\t")
            if waiting is not None:
                yield attempt(_record, waiting[1], line.strip(), lang, waiting[0], quoted=True)
                waiting = None
            elif not line.strip() or line.lower().startswith("comment"):
                continue
            elif not TAGGED.search(line):
                if number > 1:  # a first line without tags is a header
                    yield RowError("this line has no text with tags", where=where, todo=FORM)
            elif TAGGED.search(cells[-1]):
                waiting = (where, cells)
            else:
                yield attempt(_record, cells[:-1], cells[-1].strip(), lang, where)
        if waiting is not None:
            yield RowError("there is no relation", where=waiting[0], todo=FORM)


def _record(
    cells: list[str], relation: str, lang: str, where: str, quoted: bool = False
) -> RelationExample:
    text = cells[-1].strip()
    # in files of two lines a row the whole text is in quotation marks; elsewhere it may begin and
    # end with a quotation
    if len(text) > 1 and text[0] == text[-1] == '"' and (quoted or '"' not in text[1:-1]):
        text = text[1:-1]
    names = next((own for own in NAMES if re.search(rf"<\s*{own[0]}\s*>", text, re.I)), NAMES[0])
    found = read_tags(text, names)
    if isinstance(found, str):
        raise RowError(found, where=where, todo=FORM)
    row = cells[0].strip() if len(cells) > 1 else ""
    return record(found.text, found.head, found.tail, relation, lang, where, row=row)


Part = RelationText
