r"""Read word-aligned sentence pairs: one file, or the files of sentences and links.

- One file of tab-separated text: the words of both sentences, sure links, and possible links if
  there are any.
- ``SENTENCES,LINKS``: a line ``left words ||| right words`` (or with a tab between) a pair, and a
  line of links a pair.
- ``LEFT,RIGHT,LINKS``: a file for each side.
- JSON lines, Parquet and ``hf:`` with ``source``, ``target`` and ``links`` (or ``sure``).

Links are ``i-j`` (sure) and ``ipj`` (possible), as in Pharaoh, or lines ``pair left right S`` as in
the shared tasks of NAACL 2003; their sentences may stand in ``<s snum=1> .. </s>``. Words are
separated by spaces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import read_lines
from xadapt.data.readers.link_text import Both, is_numbered, numbered_links, parse_links
from xadapt.data.readers.mapped_rows import kind_of_rows
from xadapt.data.readers.named_columns import FIELDS
from xadapt.data.readers.notes import Notes, RowError, attempt, name_of, noted, without_faulty
from xadapt.data.readers.row_records import read_mapped, words_of
from xadapt.data.readers.sides import is_unicode
from xadapt.data.readers.tables import tab_rows
from xadapt.data.records import AlignedWords
from xadapt.languages.tags import normalise

FORM = "Write: words of one sentence, tab, words of the other, tab, links such as 0-0 1-2"
_SENTENCE = re.compile(r"<s snum=0*(\d+)>\s*(.*?)\s*</s>")
_NAMED = re.compile(r"([a-z]{2,3})[-_]([a-z]{2,3})(?![A-Za-z0-9])")


@dataclass(frozen=True)
class WordAlignmentReader:
    """Reader of word-aligned sentence pairs. It never claims a file.

    Such a table may be parallel text as well.

    Attributes:
        one_based: Whether ``i-j`` counts words from 1.
    """

    one_based: bool = False

    format: ClassVar[str] = "word_alignment"
    gives: ClassVar[type] = AlignedWords

    def claims(self, source: str, request: object) -> bool:
        """Return False: a table of texts is parallel text unless a task says otherwise."""
        return False

    def read(
        self, source: str, lang: str, right_lang: str | None = None, notes: Notes | None = None
    ) -> Iterator[AlignedWords]:
        """Stream the sentence pairs.

        Args:
            source: A file, or two or three files with commas between them.
            lang: Language of the first sentences.
            right_lang: Language of the second sentences. The default is ``lang``.
            notes: Where skipped rows are reported.

        Raises:
            UserError: If a file is missing, files differ in length, or half of the rows are faulty:
                a sentence is empty, a part is no link, or a link leaves its sentence.
        """
        found, langs = noted(notes), (lang, right_lang or lang)
        if kind_of_rows(source):
            make = partial(aligned_words, langs=langs, first=int(self.one_based))
            columns = FIELDS[AlignedWords]
            yield from read_mapped(source, columns, lambda v, w: make(v, where=w), found, "pair")
            return
        files = [source] if Path(source).exists() else source.split(",")
        rows = self._table(source, langs, found) if len(files) == 1 else self._files(files, langs)
        empty = True
        for record in without_faulty(rows, files[-1], found, "pair"):
            empty = False
            yield record
        if empty:
            raise UserError("there is no sentence pair in this file", where=files[0], todo=FORM)

    def _table(
        self, source: str, langs: tuple[str, str], notes: Notes
    ) -> Iterator[AlignedWords | RowError]:
        for number, cells in tab_rows(source, notes):
            if any(cell.strip() for cell in cells):
                yield attempt(self._row, cells, langs, f"{source}:{number}")

    def _row(self, cells: Sequence[str], langs: tuple[str, str], where: str) -> AlignedWords:
        if len(cells) not in (3, 4):
            raise RowError(
                f"this line has {len(cells)} columns, not 3 or 4", where=where, todo=FORM
            )
        first = int(self.one_based)
        sure, extra = parse_links(cells[2], where, first)
        more = parse_links(cells[3], where, first) if len(cells) == 4 else ((), ())
        return _record(cells[0], cells[1], (sure, (*extra, *more[0], *more[1])), langs, where)

    def _files(
        self, files: Sequence[str], langs: tuple[str, str]
    ) -> Iterator[AlignedWords | RowError]:
        if len(files) > 3:
            raise UserError(
                f"{len(files)} files are named", where=",".join(files),
                todo="Name SENTENCES,LINKS or LEFT,RIGHT,LINKS",
            )  # fmt: skip
        *texts, links = (name.strip() for name in files)
        sentences = _two_files(*texts) if len(texts) == 2 else _one_file(texts[0])
        lines = read_lines(links)
        first = next(lines, None)
        if first is None:
            raise UserError("there is no link in this file", where=links)
        every = chain([first], lines)
        if is_numbered(first[1]):
            yield from _numbered(sentences, every, links, langs)
            return
        for pair, line in zip_longest(sentences, every):
            if pair is None or line is None:
                last = pair[3] if line is None else f"{links}:{line[0]}"
                raise UserError(
                    "sentences and links differ in number", where=last,
                    todo="Each sentence pair has one line of links, which may be empty",
                )  # fmt: skip
            yield attempt(self._linked, pair, line[1], langs, f"{links}:{line[0]}")

    def _linked(self, pair: Any, text: str, langs: tuple[str, str], where: str) -> AlignedWords:
        return _record(
            pair[1], pair[2], parse_links(text, where, int(self.one_based)), langs, where
        )


def aligned_words(
    values: dict[str, Any], langs: tuple[str, str], where: str, first: int = 0
) -> AlignedWords:
    """Make a record of ``left`` and ``right``, which are texts or lists of words, and ``links``.

    Raises:
        RowError: If a value is of another form, or a link leaves its sentence.
    """
    left, right = (
        values[side]
        if isinstance(values[side], str)
        else " ".join(words_of(values[side], side, where))
        for side in ("left", "right")
    )
    return _record(left, right, links_of(values["links"], where, first), langs, where)


def sides_of(name: str, lang: str, pivot_lang: str, first: str | None = None) -> tuple[str, str]:
    """Return the languages of the first and the second sentences of a file.

    Args:
        name: Name of the file. A name such as ``ja-en.tsv`` says both.
        lang: The language being adapted; ``und`` if it is not known.
        pivot_lang: The other language.
        first: Language of the first sentences, where the user says so.

    Raises:
        UserError: If ``first`` is neither of the two languages.
    """
    if first is not None:
        own = normalise(first)
        if own not in (lang, pivot_lang) and lang != "und":
            raise UserError(
                f"the first sentences are {own}, and the languages are {lang} and {pivot_lang}",
                where="first",
                todo=f"Name {lang} or {pivot_lang}",
            )
        return (own, lang) if own == pivot_lang else (own, pivot_lang)
    found = _NAMED.match(name)
    if found and (lang == "und" or {found[1], found[2]} == {lang, pivot_lang}):
        return found[1], found[2]
    return pivot_lang, lang


def links_of(value: Any, where: str, first: int = 0) -> Both:
    """Return links that are text, or a list of pairs of numbers.

    Raises:
        RowError: If the value is neither.
    """
    if isinstance(value, str):
        return parse_links(value, where, first)
    try:
        return parse_links(" ".join(f"{int(i)}-{int(j)}" for i, j in value), where, first)
    except (TypeError, ValueError):
        raise RowError("these are no links", where=where, todo="Write i-j or [i, j]") from None


def _numbered(
    sentences: Iterator[tuple[str, str, str, str]],
    lines: Iterator[tuple[int, str]],
    source: str,
    langs: tuple[str, str],
) -> Iterator[AlignedWords | RowError]:
    links = dict(numbered_links(lines, source))
    for number, left, right, where in sentences:
        yield attempt(_record, left, right, links.pop(number, ((), ())), langs, where)
    if links:
        raise UserError(f"there is no sentence pair {next(iter(links))}", where=source)


def _one_file(path: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield the number of each pair, both sentences, and the place."""
    for number, line in read_lines(path):
        where = f"{path}:{number}"
        parts = line.split(" ||| ") if "|||" in line else line.split("\t")
        if len(parts) < 2:
            raise UserError("this line is no sentence pair", where=where,
                            todo="Write: left words ||| right words")  # fmt: skip
        yield str(number), parts[0], parts[1], where


def _two_files(left: str, right: str) -> Iterator[tuple[str, str, str, str]]:
    for ours, theirs in zip_longest(read_lines(left), read_lines(right)):
        if ours is None or theirs is None:
            short = left if ours is None else right
            raise UserError(
                f"{name_of(left)} and {name_of(right)} differ in length",
                where=f"{short}:{(ours or theirs)[0]}",
                todo="Both files must have the same number of lines",
            )
        (first, one), (second, other) = _bare(ours), _bare(theirs)
        where = f"{right}:{theirs[0]}"
        if first != second:
            raise UserError(f"the sentence {first} stands beside {second}", where=where)
        yield first, one, other, where


def _bare(line: tuple[int, str]) -> tuple[str, str]:
    """Return the number and the text of a sentence, without the marks of NAACL's files."""
    found = _SENTENCE.fullmatch(line[1].strip())
    return (found[1], found[2]) if found else (str(line[0]), line[1])


def _record(left: str, right: str, links: Both, langs: tuple[str, str], where: str) -> AlignedWords:
    ours, theirs = tuple(left.split()), tuple(right.split())
    if not ours or not theirs:
        raise RowError("a sentence is empty", where=where, todo=FORM)
    if not is_unicode(left + right):
        raise RowError("a sentence holds half a surrogate pair", where=where)
    sure = set(links[0])
    for i, j in (*links[0], *links[1]):
        if i >= len(ours) or j >= len(theirs):
            raise RowError(
                f"the link {i}-{j} leaves the sentences of {len(ours)} and {len(theirs)} words",
                where=where,
                todo="Words count from 0; the option one_based reads links that count from 1",
            )
    possible = tuple(sorted(set(links[1]) - sure))
    return AlignedWords(ours, theirs, tuple(sorted(sure)), possible, *langs, origin=where)


Part = WordAlignmentReader
