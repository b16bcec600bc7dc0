"""Stream TMX translation memories (1.4b and earlier), without external entities and DTDs.

A unit's variants are matched by ``xml:lang``. Another region is used if the requested region is
absent (``en-US`` for ``en``). Units without both languages are skipped. A memory without any unit
in both languages is an error. The first variant of a language that is not empty is used. Entities
of HTML (``&nbsp;``) are read as their characters. Any other undefined entity is an error, as in a
file without a document type. As in the standard, native codes (``bpt ept ph it ut``) are omitted
from the text, and highlighted text (``hi``) stays.

translate-toolkit also reads TMX, as a whole file in memory; here a memory of any size is streamed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import has_suffix
from xadapt.data.readers.notes import Notes, RowError, attempt, batches_without_faulty, noted
from xadapt.data.readers.sides import Request, find_language, make_pair, pairs_of
from xadapt.data.readers.xml_stream import XmlReader
from xadapt.data.records import ParallelPair

_NATIVE = frozenset({"bpt", "ept", "ph", "it", "ut"})
Unit = tuple[int, dict[str, str]]


class Tmx:
    """Reader of ``.tmx``, also compressed, in any encoding its XML declaration names."""

    format: ClassVar[str] = "tmx"
    gives: ClassVar[type] = ParallelPair

    def claims(self, source: str, request: Request) -> bool:
        """Return whether the name ends in ``.tmx``."""
        return has_suffix(source, ".tmx")

    def read(
        self, source: str, request: Request, notes: Notes | None = None
    ) -> Iterator[ParallelPair]:
        """Stream the pairs of the units that have both languages.

        Args:
            source: The file.
            request: Languages, columns and limits.
            notes: Where skipped units are reported.

        Raises:
            UserError: If the XML is malformed, defines entities or uses unknown entities, a segment
                is too long, half of the units have an empty side, or no unit has both languages.
        """
        return chain.from_iterable(self._parts(source, request, noted(notes)))

    def _parts(
        self, source: str, request: Request, found: Notes
    ) -> Iterator[Iterator[ParallelPair]]:
        units = _Units(source, request.limits.chars)
        taken = _Taken(request)
        pairs = _pairs(units, taken, source, request)
        yield chain.from_iterable(batches_without_faulty(pairs, source, found, "unit"))
        both = f"both {request.pivot_lang} and {request.lang}"
        if not taken.taken and units.seen_anything:
            known = ", ".join(sorted(taken.languages)[:12]) or "none"
            raise UserError(
                f"no unit has {both} (languages: {known})",
                where=source,
                todo="Check --lang and --pivot",
            )
        units.tell_entities(found)
        if taken.passed:
            found.add(source, f"{taken.passed:,} units without {both} are passed over", usual=True)


class _Taken(dict[tuple[str, ...], "tuple[str, str] | None"]):
    """The languages of pivot and text, by the languages of a unit; ``None`` without both.

    Attributes:
        taken: Number of units with both.
        passed: Number of units without both.
    """

    def __init__(self, request: Request) -> None:
        super().__init__()
        self.request = request
        self.taken = self.passed = 0

    def __missing__(self, names: tuple[str, ...]) -> tuple[str, str] | None:
        pivot = find_language(names, self.request.pivot_lang)
        text = find_language(names, self.request.lang)
        both = pivot is not None and text is not None and pivot != text
        found = (str(pivot), str(text)) if both else None
        if len(self) < 4096:
            self[names] = found
        return found

    @property
    def languages(self) -> set[str]:
        """The languages of the units so far."""
        return {name for names in self for name in names}


def _pairs(
    units: _Units, taken: _Taken, source: str, request: Request
) -> Iterator[list[ParallelPair] | ParallelPair | RowError]:
    limit = request.limits.chars
    for block in units.blocks():
        rows = []
        for line, variants in block:
            names = taken[tuple(variants)]
            if names is not None:
                rows.append((line, variants[names[0]], variants[names[1]]))
        taken.taken += len(rows)
        taken.passed += len(block) - len(rows)
        if not rows:
            continue
        lines, left, right = zip(*rows, strict=True)
        pivots, texts = list(map(str.strip, left)), list(map(str.strip, right))
        places = [f"{source}:{line}" for line in lines]
        longest = max(max(map(len, texts)), max(map(len, pivots)))
        if longest <= limit and all(texts) and all(pivots):
            yield pairs_of(request, texts, pivots, places)
            continue
        for where, text, pivot in zip(places, texts, pivots, strict=True):
            made = attempt(make_pair, request, text=text, pivot=pivot, where=where)
            if made is not None:
                yield made


class _Units(XmlReader):
    """The variants of each ``tu``, with its first line."""

    def __init__(self, source: str, limit: int) -> None:
        super().__init__(source, limit)
        self._codes = 0  # native codes that are open
        self._kept: list[str] = []
        self._set_handlers()

    def _set_handlers(self) -> None:  # noqa: C901 (two functions that share their state)
        """Set handlers that keep their state in local variables.

        Each is called 5 times a unit, and decides the time of reading.
        """
        parser, done, parts = self.parser, self.done, self.parts
        line, lang = 0, ""
        variants: dict[str, str] = {}

        def start(name: str, attributes: Mapping[str, str]) -> None:
            nonlocal lang, line, variants
            if name == "seg":
                parts.clear()
                self.reads_text = True
            elif name == "tuv":
                lang = attributes.get("xml:lang") or attributes.get("lang") or ""
            elif name == "tu":
                line, variants = parser.CurrentLineNumber, {}
            elif name in _NATIVE:
                self._open_code()

        def end(name: str) -> None:
            nonlocal variants
            if name == "seg":
                if lang not in variants or not variants[lang].strip():
                    variants[lang] = "".join(parts)
                self.reads_text = False
            elif name == "tu":
                done.append((line, variants))
                variants = {}
                parts.clear()
            elif name in _NATIVE:
                self._close_code()

        parser.StartElementHandler = start
        parser.EndElementHandler = end

    def _open_code(self) -> None:
        """Leave out the characters of a native code, and of codes in it."""
        if not self._codes:
            self._kept = self.parts[:]
        self._codes += 1

    def _close_code(self) -> None:
        self._codes -= 1
        if not self._codes:
            self.parts[:] = self._kept


Part = Tmx
