"""Read Tatoeba's exports: a folder with ``sentences.csv`` and ``links.csv``.

``sentences.csv`` has an id, an ISO 639-3 language and a text a line, ``links.csv`` the ids of two
sentences that translate each other, both with tabs (https://tatoeba.org/downloads). The files may
be compressed, and the sentences may be split by language (``eng_sentences.tsv``). A sentence with
several translations gives several pairs. Only the ids of both languages and the texts of linked
sentences are held in memory. The export of pairs (id, text, id, text) is read by ``tsv``.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError
from xadapt.data.readers.compressed import files_in, unpacked
from xadapt.data.readers.lines import read_lines
from xadapt.data.readers.notes import Notes, RowError, attempt, noted, without_faulty
from xadapt.data.readers.sides import Request, find_language, make_pair
from xadapt.data.records import ParallelPair

_SENTENCES, _LINKS = ("sentences", "sentences_detailed"), ("links", "sentences_links")
Ids = NDArray[np.int64]


class Tatoeba:
    """Reader of a folder or zip archive with Tatoeba's sentences and links."""

    format: ClassVar[str] = "tatoeba"
    gives: ClassVar[type] = ParallelPair

    def claims(self, source: str, request: Request) -> bool:
        """Return whether the source is a folder with a file of links and one of sentences."""
        names = files_in(source) if source and "," not in source else []
        return bool(_files(names, _LINKS) and _files(names, _SENTENCES))

    def read(
        self, source: str, request: Request, notes: Notes | None = None
    ) -> Iterator[ParallelPair]:
        """Stream the pairs in the order of the links. The origin is the line of the link.

        Args:
            source: The folder.
            request: Languages, columns and limits.
            notes: Where skipped links are reported.

        Raises:
            UserError: If a file is missing, a line has another form, there is no sentence of a
                language, or no link between both languages.
        """
        found = noted(notes)
        folder = source.rstrip("/")
        names = files_in(source)
        sentences = [f"{folder}/{name}" for name in _files(names, _SENTENCES)]
        links = [f"{folder}/{name}" for name in _files(names, _LINKS)]
        if not sentences or not links:
            raise UserError(
                "this folder holds no sentences.csv and links.csv",
                where=source,
                todo="Fetch both from https://tatoeba.org/downloads",
            )
        pivots, texts = _ids(sentences, request)
        for lang, ids in ((request.pivot_lang, pivots), (request.lang, texts)):
            if not len(ids):
                raise UserError(
                    f"there is no sentence of the language {lang}",
                    where=sentences[0],
                    todo="Check --lang and --pivot",
                )
        lines, left, right, path = _linked(links, pivots, texts)
        if not len(left):
            raise UserError(
                f"no link joins {request.pivot_lang} and {request.lang}",
                where=links[0],
                todo="Fetch the links of the same day, or of this pair of languages",
            )
        known = _texts(sentences, np.union1d(left, right))

        def pairs() -> Iterator[ParallelPair | RowError]:
            for line, a, b, at in zip(lines, left.tolist(), right.tolist(), path, strict=True):
                made = attempt(
                    make_pair,
                    request,
                    text=known[b],
                    pivot=known[a],
                    where=f"{links[at]}:{line}",
                )
                if made is not None:
                    yield made

        yield from without_faulty(pairs(), source, found, "link")


def _files(names: Sequence[str], stems: Sequence[str]) -> list[str]:
    """Return the files of a kind: ``links.csv``, ``eng-deu_links.tsv.bz2``."""
    found = []
    for name in names:
        stem, _, ending = unpacked(name.rpartition("/")[2]).rpartition(".")
        if ending in ("csv", "tsv") and any(
            stem == wanted or stem.endswith(f"_{wanted}") for wanted in stems
        ):
            found.append(name)
    return found


def _ids(paths: Sequence[str], request: Request) -> tuple[Ids, Ids]:
    """Return the ids of the sentences of both languages, sorted."""
    found: dict[str, array[int]] = {}
    for number, lang, _ in _sentences(paths):
        if lang not in found:
            found[lang] = array("q")
        found[lang].append(number)
    names = [
        find_language(list(found), tag) if found else None
        for tag in (request.pivot_lang, request.lang)
    ]
    if names[0] == names[1]:
        names[1] = None
    pivots, texts = (np.array(found.get(name or "", ()), dtype=np.int64) for name in names)
    return np.sort(pivots), np.sort(texts)


def _sentences(paths: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    for path in paths:
        for number, line in read_lines(path):
            if not line:
                continue
            cells = line.split("\t", 3)
            if len(cells) < 3 or not _is_id(cells[0]):
                raise UserError(
                    "this line is not: id, tab, language, tab, text",
                    where=f"{path}:{number}",
                    todo="Fetch the export again",
                )
            yield int(cells[0]), cells[1], cells[2]


def _is_id(cell: str) -> bool:
    return cell.isascii() and cell.isdigit() and len(cell) < 18


def _linked(paths: Sequence[str], pivots: Ids, texts: Ids) -> tuple[list[int], Ids, Ids, list[int]]:
    """Return the links from a pivot to a text: lines, both ids, and the number of the file.

    Tatoeba's file has each link in both directions, so links from a text to a pivot are taken only
    if the other direction is not there.
    """
    rows: dict[tuple[int, int], tuple[int, int]] = {}
    from_pivot, from_text = set(pivots.tolist()), set(texts.tolist())
    for at, path in enumerate(paths):
        for number, line in read_lines(path):
            first, tab, second = line.partition("\t")
            second = second.partition("\t")[0]
            if not (tab and _is_id(first) and _is_id(second)):
                if not line:
                    continue
                raise UserError(
                    "this line is not two ids with a tab between them",
                    where=f"{path}:{number}",
                    todo="Fetch the export again",
                )
            a, b = int(first), int(second)
            if a in from_pivot and b in from_text:
                rows.setdefault((a, b), (number, at))
            elif b in from_pivot and a in from_text:
                rows.setdefault((b, a), (number, at))
    both = np.array(list(rows), dtype=np.int64).reshape(-1, 2)
    places = list(rows.values())
    return [n for n, _ in places], both[:, 0], both[:, 1], [at for _, at in places]


def _texts(paths: Sequence[str], ids: Ids) -> dict[int, str]:
    wanted = set(ids.tolist())
    return {number: text for number, _, text in _sentences(paths) if number in wanted}


Part = Tatoeba
