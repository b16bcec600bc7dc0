"""Mentions of concepts in texts: tables, BRAT's annotations, and JSON lines of BigBIO.

- A table with 7 columns, as the files of the Mantra corpus here: language, document, sentence,
  start, end, text, concept. A sentence without a mention has empty cells. A span of several
  concepts has several lines.
- A table with 1 or 2 columns: text, and perhaps a concept.
- BRAT: an ``.ann`` file with its ``.txt`` beside it, or a folder of them. ``T`` lines are mentions;
  their concepts stand in ``N`` lines or in notes (``#``).
- JSON lines as BigBIO has them: ``entities`` or one mention, with ``text``, ``offsets`` and
  ``normalized``.

Sources: Stenetorp et al. 2012, https://aclanthology.org/E12-2021 (BRAT); Fries et al. 2022,
https://arxiv.org/abs/2206.15076 (BigBIO).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from xadapt.core.errors import UserError
from xadapt.data.readers.graph_files import json_rows, text_of, tidy
from xadapt.data.readers.lines import has_suffix, read_lines
from xadapt.languages.tags import normalise

AROUND = 64
"""Characters of context on each side of a mention."""
SEVEN = "language, document, sentence, start, end, text and concept"
FORMS = f"a text and perhaps a concept, or {SEVEN}"
_T = re.compile(r"(T\S*)\t(\S+) ([\d; ]+)\t(.*)")
_N = re.compile(r"N\S*\tReference (T\S*) ([^\s:]+):(\S+)")
_NOTE = re.compile(r"#\S*\tAnnotatorNotes (T\S*)\t(.*)")


@dataclass(frozen=True)
class Mention:
    """A mention of a concept.

    Attributes:
        id: The id of the mention.
        text: Its text.
        concepts: The right concepts; empty if they are unknown.
        lang: Its language, if the file names it.
        before: The text before it.
        after: The text after it.
    """

    id: str
    text: str
    concepts: tuple[str, ...] = ()
    lang: str | None = None
    before: str = ""
    after: str = ""


def read_mentions(source: str) -> Iterator[Mention]:
    """Stream the mentions of a file or of a folder of BRAT files.

    Raises:
        UserError: If there is no such file, it has no mention, or a line is faulty.
    """
    path = Path(source)
    if path.is_dir():
        found = _brat_folder(path)
    elif has_suffix(source, ".ann"):
        found = _brat(path)
    elif has_suffix(source, ".jsonl", ".json"):
        found = _bigbio(source)
    else:
        found = _table(source)
    number = 0
    for number, mention in enumerate(found, 1):  # noqa: B007
        yield mention
    if not number:
        raise UserError("there is no mention", where=source, todo=f"A line holds {FORMS}")


def is_mention_table(path: str) -> bool:
    """Return whether a file is a table with 7 columns of mentions.

    Raises:
        UserError: If there is no such file.
    """
    for _, line in read_lines(path):
        if line.strip():
            cells = line.split("\t")
            return len(cells) == 7 and all(not one or one.isdecimal() for one in cells[3:5])
    return False


def _table(source: str) -> Iterator[Mention]:
    for _, group in groupby(_lines(source), key=lambda one: one.id):
        first, *rest = group
        concepts = dict.fromkeys(c for one in (first, *rest) for c in one.concepts)
        yield replace(first, concepts=tuple(concepts))


def _lines(source: str) -> Iterator[Mention]:
    for number, line in read_lines(source):
        if not line.strip():
            continue
        where, cells = f"{source}:{number}", [cell.strip() for cell in line.split("\t")]
        if len(cells) <= 2 and cells[0]:
            yield Mention(str(number), tidy(cells[0]), tuple(filter(None, cells[1:])))
        elif len(cells) == 7:
            if any(cells[3:6]):
                yield _of_sentence(line.split("\t"), where)
        else:
            raise UserError(
                f"this line has {len(cells)} columns or no text", where=where,
                todo=f"A line holds {FORMS}, separated by tabs",
            )  # fmt: skip


def _of_sentence(cells: list[str], where: str) -> Mention:
    lang, doc, sentence, first, last, text, concept = cells
    start, end = (int(cell) if cell.isdecimal() else -1 for cell in (first, last))
    if not 0 <= start < end <= len(sentence):
        raise UserError("start and end are no span of the sentence", where=where, todo=SEVEN)
    return Mention(
        f"{lang}/{doc}:{start}-{end}",
        text_of(text, "the text", where),
        tuple(filter(None, [concept.strip()])),
        normalise(lang),
        sentence[max(0, start - AROUND) : start],
        sentence[end : end + AROUND],
    )


def _brat_folder(folder: Path) -> Iterator[Mention]:
    files = sorted(folder.rglob("*.ann"))
    if not files:
        raise UserError("there is no .ann file in this folder", where=str(folder))
    for file in files:
        yield from _brat(file, str(file.relative_to(folder).with_suffix("")))


def _brat(path: Path, document: str | None = None) -> Iterator[Mention]:
    beside = path.with_suffix(".txt")
    text = ""
    if beside.is_file():
        text = "\n".join(line for _, line in read_lines(str(beside)))
    spans: dict[str, tuple[str, int, int]] = {}
    concepts: dict[str, dict[str, None]] = {}
    for number, line in read_lines(str(path)):
        where = f"{path}:{number}"
        if line.startswith("T"):
            found = _T.fullmatch(line)
            numbers = [int(n) for n in re.findall(r"\d+", found[3])] if found else []
            if found is None or len(numbers) < 2 or not found[4].strip():
                raise UserError("this is no mention of BRAT", where=where, todo="T1, type, span")
            spans[found[1]] = (tidy(found[4]), numbers[0], numbers[-1])
        elif reference := _N.match(line):
            concepts.setdefault(reference[1], {})[reference[3]] = None
        elif note := _NOTE.match(line):
            for code in re.findall(r"[^\s,;|]+", note[2]):
                concepts.setdefault(note[1], {})[code] = None
    for name, (said, start, end) in spans.items():
        yield Mention(
            f"{document or path.stem}:{name}",
            said,
            tuple(concepts.get(name, ())),
            None,
            text[max(0, start - AROUND) : start].replace("\n", " "),
            text[end : end + AROUND].replace("\n", " "),
        )


def _bigbio(source: str) -> Iterator[Mention]:
    for where, row in json_rows(source, '{"text": ["angina"], "normalized": [{"db_id": "C01"}]}'):
        entities = row.get("entities", [row])
        if not isinstance(entities, list) or not all(isinstance(e, dict) for e in entities):
            raise UserError("entities is no list of objects", where=where)
        text = " ".join(
            part
            for passage in row.get("passages") or []
            if isinstance(passage, dict)
            for part in _texts(passage.get("text"), where)
        )
        for number, entity in enumerate(entities):
            said = " ".join(_texts(entity.get("text"), where))
            spans = entity.get("offsets") or []
            start, end = _bounds(spans, where) if spans and text else (0, 0)
            yield Mention(
                str(entity.get("id") or f"{row.get('document_id') or where}:{number}"),
                text_of(said, "text", where),
                tuple(_ids(entity, where)),
                None,
                text[max(0, start - AROUND) : start],
                text[end : end + AROUND] if end else "",
            )


def _texts(value: Any, where: str) -> list[str]:
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise UserError("text is no text and no list of texts", where=where)
    return found


def _bounds(spans: Any, where: str) -> tuple[int, int]:
    try:
        numbers = [int(n) for span in spans for n in span]
    except (TypeError, ValueError):
        raise UserError("offsets is no list of spans", where=where) from None
    if not numbers or min(numbers) < 0:
        raise UserError("offsets is no list of spans", where=where)
    return min(numbers), max(numbers)


def _ids(entity: Mapping[str, Any], where: str) -> Iterator[str]:
    found = entity.get("normalized") or []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise UserError("normalized is no list of objects", where=where)
    for one in found:
        for code in str(one.get("db_id") or "").split(","):
            if code.strip():
                yield code.strip()
