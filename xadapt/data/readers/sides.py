"""Shared code of the readers of parallel text: requests, columns of the two sides, pairs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar, Protocol

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import LINE_CHARS, too_long
from xadapt.data.readers.notes import Notes, RowError, attempt, joined, without_faulty
from xadapt.data.readers.scores import SCORES, LowScores, no_scores
from xadapt.data.records import Constant, ParallelPair, make_many
from xadapt.languages.match import spelled_out
from xadapt.languages.tags import display_name, normalise

NAME_COLUMNS = "Name them with --columns PIVOT,LANGUAGE"
TAG = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8}){0,3}")


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on the size of rows and the number of pairs.

    Args:
        chars: The longest row or field, in characters. A longer one is an error.
        pairs: Stop after this number of pairs. ``None`` reads all.
    """

    chars: int = LINE_CHARS
    pairs: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """The languages, columns and limits for reading a source.

    Args:
        lang: The language being adapted, as BCP-47.
        pivot_lang: Language of the pivot side.
        columns: ``(pivot, language)``: numbers from 1 or names; empty for the format's own rule.
        limits: Limits on the size of rows and the number of pairs.
    """

    lang: str
    pivot_lang: str = "en"
    columns: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)


class PairReader(Protocol):
    """The interface of the ``Part`` of a parallel-text reader."""

    format: ClassVar[str]
    gives: ClassVar[type]

    def claims(self, source: str, request: Request) -> bool:
        """Return whether the source has this format, judged by its name."""

    def read(self, source: str, request: Request) -> Iterator[ParallelPair]:
        """Stream the pairs of the source.

        A reader with guesses or skipped rows also takes ``notes``, see `xadapt.data.readers.notes`.
        """


def find_language(names: Collection[str], tag: str) -> str | None:
    """Return the name among ``names`` that means language ``tag``, or ``None``.

    The order of preference is: the same tag (``deu`` is ``de``), a tag with the same meaning
    (``de_DE``, ``swh`` for ``sw``), the language's English name or the bare language, another
    region of the language in the same script. A bare ``tag`` also matches another script as the
    last choice. The first of equals is returned.
    """
    best = max(names, key=lambda name: _closeness(name, tag), default=None)
    return best if best is not None and _closeness(best, tag) else None


@lru_cache(maxsize=4096)
def _closeness(name: str, tag: str) -> int:
    if len(name) > 3 and name.casefold() == display_name(tag).casefold():
        return 3
    if not TAG.fullmatch(name):
        return 0
    try:
        found = normalise(name)
    except UserError:
        return 0
    if found == tag:
        return 5
    own, wanted = spelled_out(found), spelled_out(tag)
    if own == wanted:
        return 4
    if own.split("-")[0] != wanted.split("-")[0]:
        return 0
    if own.split("-")[:2] == wanted.split("-")[:2]:
        return 2 if "-" in found else 3
    return 0 if "-" in tag else 1


@lru_cache(maxsize=256)
def find_sides(names: tuple[str, ...], request: Request) -> tuple[str, str] | None:
    """Return the names of the pivot column and the language column, or ``None``.

    ``--columns`` decides if given. Otherwise names that mean the two languages are used, otherwise
    ``pivot`` and ``text``.
    """
    if request.columns:
        pivot, text = request.columns
        return (pivot, text) if pivot in names and text in names else None
    by_tag = find_language(names, request.pivot_lang), find_language(names, request.lang)
    if by_tag[0] is not None and by_tag[1] is not None and by_tag[0] != by_tag[1]:
        return by_tag[0], by_tag[1]
    return ("pivot", "text") if "pivot" in names and "text" in names else None


def missing_column(names: Collection[str], request: Request, where: str) -> RowError:
    """Return the error for a row or header that lacks one of the two sides."""
    wanted = " and ".join(repr(c) for c in request.columns or (request.pivot_lang, request.lang))
    found = ", ".join(repr(name[:40]) for name in list(names)[:8]) or "none"
    return RowError(f"no columns for {wanted} (found: {found})", where=where, todo=NAME_COLUMNS)


def make_pair(request: Request, *, text: str, pivot: str, where: str) -> ParallelPair | None:
    """Make a record with both sides stripped. Return ``None`` if both are empty.

    Raises:
        UserError: If one side is empty, too long, or not valid Unicode.
    """
    text, pivot = text.strip(), pivot.strip()
    if not text and not pivot:
        return None
    for side, lang in ((pivot, request.pivot_lang), (text, request.lang)):
        if not side:
            raise RowError(
                f"the {lang} side of this row is empty",
                where=where,
                todo="Fill it in or remove the row; --columns says which columns are meant",
            )
        if len(side) > request.limits.chars:
            raise too_long(where, request.limits.chars)
        if not side.isascii() and not is_unicode(side):
            raise RowError(
                f"the {lang} side of this row holds half a surrogate pair, which is no character",
                where=where,
                todo="Repair the escape sequence or remove the row",
            )
    return ParallelPair(text, pivot, request.lang, request.pivot_lang, origin=where)


def pairs_of(
    request: Request, texts: list[str], pivots: list[str], places: list[str]
) -> list[ParallelPair]:
    """Make many records of sides that are stripped, not empty, and not too long.

    Args:
        request: The languages.
        texts: The sides of the language.
        pivots: The sides of the pivot language.
        places: The place of each pair.
    """
    return make_many(
        ParallelPair,
        len(texts),
        text=texts,
        pivot=pivots,
        lang=Constant(request.lang),
        pivot_lang=Constant(request.pivot_lang),
        origin=places,
    )


def row_pair(row: Mapping[str, Any], request: Request, where: str) -> ParallelPair | None:
    """Make a record from a mapping: ``{"translation": {"en": .., "de": ..}}`` or flat keys.

    ``--columns`` may name nested keys with dots, such as ``translation.en``.

    Raises:
        UserError: If a side is missing, not a string, empty, too long, or not valid Unicode.
    """
    values = _named(row, request) if request.columns else _found(row, request)
    if values is None:
        raise missing_column([str(key) for key in row], request, where)
    for value in values:
        if value is not None and not isinstance(value, str):
            raise RowError(
                f"a column holds {type(value).__name__}, not text", where=where, todo=NAME_COLUMNS
            )
    pivot, text = (value or "" for value in values)
    return make_pair(request, text=text, pivot=pivot, where=where)


def row_pairs(
    rows: Iterable[tuple[str, Mapping[str, Any]]],
    source: str,
    request: Request,
    notes: Notes,
    min_score: float | None = None,
) -> Iterator[ParallelPair]:
    """Stream the pairs of mappings. The notes get unused keys and faulty rows.

    Args:
        rows: Place and mapping, one a row.
        source: Name of the source.
        request: Languages, columns and limits.
        notes: Where unused keys (of the first row) and the number of faulty rows are reported.
        min_score: Rows with a lower score are left out, and counted.

    Raises:
        UserError: If half of the rows are faulty, or there is a least score and no score.
    """
    low = None if min_score is None else LowScores(min_score)
    score = ""

    def kept(row: Mapping[str, Any], where: str) -> bool:
        return low is None or low.keeps(row.get(score), where)

    def made() -> Iterator[ParallelPair | RowError]:
        nonlocal score
        for number, (where, row) in enumerate(rows):
            if not number:
                score = next((key for key in row if str(key).casefold() in SCORES), "")
                if low is not None and not score:
                    raise no_scores(source)
                used = {score} if low is not None else set()
                _tell_unused(row, source, request, notes, used)
            keeps = attempt(kept, row, where)
            if isinstance(keeps, RowError):
                yield keeps
            elif keeps:
                pair = attempt(row_pair, row, request, where)
                if pair is not None:
                    yield pair

    yield from without_faulty(made(), source, notes)
    if low is not None:
        low.tell(source, notes)


def _tell_unused(
    row: Mapping[str, Any], source: str, request: Request, notes: Notes, also: set[str]
) -> None:
    if request.columns:
        used = {name.partition(".")[0] for name in request.columns} | set(request.columns)
    elif isinstance(_translation(row), Mapping) and _sides_in(_translation(row), request):
        used = {"translation"}
    else:
        used = set(_sides_in(row, request) or row)
    unused = [repr(str(key)[:40]) for key in row if str(key) not in used | also]
    if unused:
        are = "keys {} are" if len(unused) > 1 else "key {} is"
        notes.add(source, f"{are.format(joined(unused[:12]))} not used")


def _sides_in(row: Mapping[str, Any], request: Request) -> tuple[str, str] | None:
    return find_sides(tuple(map(str, row)), request)


def _found(row: Mapping[str, Any], request: Request) -> tuple[Any, Any] | None:
    for candidate in (_translation(row), row):
        if isinstance(candidate, Mapping):
            sides = _sides_in(candidate, request)
            if sides:
                return candidate.get(sides[0]), candidate.get(sides[1])
    return None


def _translation(row: Mapping[str, Any]) -> Any:
    """Return the column ``translation`` by language.

    ``datasets`` also has it as two lists, ``{"language": [..], "translation": [..]}``.
    """
    value = row.get("translation")
    if isinstance(value, Mapping) and set(value) == {"language", "translation"}:
        langs, texts = value["language"], value["translation"]
        lists = isinstance(langs, (list, tuple)) and isinstance(texts, (list, tuple))
        if lists and len(langs) == len(texts):
            return {
                str(lang): text for lang, text in zip(reversed(langs), reversed(texts), strict=True)
            }
    return value


def _named(row: Mapping[str, Any], request: Request) -> tuple[Any, Any] | None:
    try:
        pivot, text = (follow(row, name) for name in request.columns)
    except KeyError:
        return None
    return pivot, text


def follow(row: Any, name: str) -> Any:
    """Return the value under a key, or under nested keys with dots between them.

    Raises:
        KeyError: If there is no such key.
    """
    if not isinstance(row, Mapping):
        raise KeyError(name)
    if name in row:
        return row[name]
    head, dot, rest = name.partition(".")
    if not dot:
        raise KeyError(name)
    return follow(row[head], rest)


def is_unicode(text: str) -> bool:
    """Return whether a text has no half of a surrogate pair."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
