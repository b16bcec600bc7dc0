"""Read a folder with one file for each language, aligned by lines, as FLORES and NTREX have it.

Examples: ``devtest/eng_Latn.devtest`` and ``deu_Latn.devtest``; ``newstest2019-src.eng.txt`` and
``newstest2019-ref.deu.txt``; the archive of a Moses pair from OPUS. The files of both sides are
found by the language tags in their names. Scripts count: ``zh-Hant`` is not ``zho_Hans``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.compressed import SUFFIXES, files_in
from xadapt.data.readers.moses import aligned_pairs
from xadapt.data.readers.notes import Notes, name_of, noted, without_faulty
from xadapt.data.readers.sides import TAG, Request, find_language
from xadapt.data.records import ParallelPair
from xadapt.languages.tags import normalise

_SPLITS = ("dev", "devtest", "test", "train", "valid", "validation")
_NO_TAGS = {"txt", "src", "ref", "dev", "csv", "tsv", "xml", "ids", "md", "tok", "lc", "raw"}
"""Pieces of names that have the form of a tag and never mean a language here."""
_BREAKS = re.compile(r"[./]"), re.compile(r"[./_-]")


@dataclass(frozen=True)
class LanguageFiles:
    """Reader of folders with a file for each language, also of zip archives with such files.

    Attributes:
        split: Part of the name that both files must have, such as ``devtest``, if the folder holds
            several splits.
    """

    split: str = ""

    format: ClassVar[str] = "language_files"
    gives: ClassVar[type] = ParallelPair

    def claims(self, source: str, request: Request) -> bool:
        """Return whether the source is a folder, or a zip archive with a file of each side."""
        if source.lower().endswith(".zip"):
            files = self._sides(files_in(source), request)
            return len(files_in(source)) > 1 and all(files)
        try:
            return Path(source).is_dir() and "links.csv" not in {
                name.split(".", 1)[0] + ".csv" for name in files_in(source)
            }
        except (OSError, ValueError):
            return False

    def read(
        self, source: str, request: Request, notes: Notes | None = None
    ) -> Iterator[ParallelPair]:
        """Stream the pairs. Lines that are empty on both sides are skipped.

        Args:
            source: The folder.
            request: Languages, columns and limits.
            notes: Where the files and skipped lines are reported.

        Raises:
            UserError: If there is no file of a side, or there are several, the files differ in
                their number of lines, half of the lines are faulty, or a line can't be read.
        """
        found = noted(notes)
        names = files_in(source)
        pivots, texts = self._sides(names, request)
        if not pivots or not texts:
            raise self._missing(source, names, request, not pivots)
        pairs = _same_rest(pivots, texts)
        if len(pairs) != 1:
            shown = ", ".join(sorted({*pivots, *texts})[:6])
            raise UserError(
                f"several files may be meant ({shown})",
                where=source,
                todo="Name both files as PIVOT_FILE,LANGUAGE_FILE, or give the option split, such "
                "as split=devtest",
            )
        [(pivot, text)] = pairs
        sides = f"{name_of(pivot)} is read as {request.pivot_lang}, {name_of(text)} as"
        found.add(source.rstrip("/"), f"{sides} {request.lang}", usual=True)
        folder = source.rstrip("/")
        rows = aligned_pairs(f"{folder}/{pivot}", f"{folder}/{text}", request)
        yield from without_faulty(rows, f"{folder}/{text}", found, "line")

    def _sides(self, names: list[str], request: Request) -> tuple[dict[str, str], dict[str, str]]:
        """Return the files of pivot and language, each with the rest of its name."""
        tags: dict[str, tuple[str, str]] = {}
        for name in names:
            if not self.split or self.split in _BREAKS[1].split(name):
                tag = _tag(name, request)
                if tag is not None:
                    tags[name] = tag
        sides = []
        for wanted in (request.pivot_lang, request.lang):
            best = find_language([tag for tag, _ in tags.values()], wanted)
            sides.append({name: rest for name, (tag, rest) in tags.items() if tag == best})
        return sides[0], sides[1]

    def _missing(self, source: str, names: list[str], request: Request, pivot: bool) -> UserError:
        lang = request.pivot_lang if pivot else request.lang
        inner = sorted(p.name for p in Path(source).iterdir() if p.is_dir()) if not names else []
        if inner:
            raise UserError(
                "this folder holds folders, not the files of languages",
                where=source,
                todo=f"Name one of them: {', '.join(inner[:8])}",
            )
        known = sorted({tag for name in names for tag in [_any_tag(name)] if tag})
        shown = ", ".join(known[:12]) + (f" and {len(known) - 12} more" if len(known) > 12 else "")
        split = f" with {self.split!r} in its name" if self.split else ""
        return UserError(
            f"no file{split} is of the language {lang} (found: {shown or 'none'})",
            where=source,
            todo="Check --lang and --pivot; a file needs its language's tag in its name, such as "
            "eng_Latn.dev",
        )


def _same_rest(pivots: Mapping[str, str], texts: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the pairs of files whose names differ in the language alone, else the only pair."""
    same = [(p, t) for p, rest in pivots.items() for t, other in texts.items() if rest == other]
    if not same and len(pivots) == len(texts) == 1:
        return [(next(iter(pivots)), next(iter(texts)))]
    return same


def _tag(name: str, request: Request) -> tuple[str, str] | None:
    """Return the last tag in a name that means either language, and the rest of the name."""
    for breaks in _BREAKS:
        pieces = breaks.split(_bare(name))
        for at in reversed(range(len(pieces))):
            piece = pieces[at]
            if piece.lower() in _NO_TAGS - {request.lang, request.pivot_lang}:
                continue
            if any(find_language([piece], tag) for tag in (request.pivot_lang, request.lang)):
                rest = ".".join(pieces[:at] + pieces[at + 1 :])
                return piece, re.sub(r"\b(src|ref)\b", "", rest)
    return None


def _any_tag(name: str) -> str | None:
    for piece in reversed(_BREAKS[0].split(_bare(name))):
        if TAG.fullmatch(piece) and piece.lower() not in {*_NO_TAGS, *_SPLITS}:
            try:
                return piece if normalise(piece) else None
            except UserError:
                continue
    return None


def _bare(name: str) -> str:
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    return name


Part = LanguageFiles
