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
from typing import ClassVar

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import has_suffix, too_long
from xadapt.data.readers.notes import Notes, RowError, attempt, noted, without_faulty
from xadapt.data.readers.sides import Request, find_language, make_pair
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
        found = noted(notes)
        units = _Units(source, request.limits.chars)
        taken = _Taken(request)
        yield from without_faulty(_pairs(units, taken, source, request), source, found, "unit")
        both = f"both {request.pivot_lang} and {request.lang}"
        if not taken.taken and units.seen_anything:
            known = ", ".join(sorted(units.languages)[:12]) or "none"
            raise UserError(
                f"no unit has {both} (languages: {known})",
                where=source,
                todo="Check --lang and --pivot",
            )
        units.tell_entities(found)
        if taken.passed:
            found.add(source, f"{taken.passed:,} units without {both} are passed over", usual=True)


class _Taken:
    """The choice of variants for a request, and the numbers of units with and without both."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.taken = self.passed = 0
        self._known: dict[tuple[str, ...], tuple[str, str] | None] = {}

    def sides(self, variants: Mapping[str, str]) -> tuple[str, str] | None:
        """Return the languages of pivot and text among a unit's, or ``None``."""
        names = tuple(variants)
        if names not in self._known:
            pivot = find_language(names, self.request.pivot_lang)
            text = find_language(names, self.request.lang)
            both = pivot is not None and text is not None and pivot != text
            if len(self._known) > 4096:
                self._known.clear()
            self._known[names] = (str(pivot), str(text)) if both else None
        return self._known[names]


def _pairs(
    units: _Units, taken: _Taken, source: str, request: Request
) -> Iterator[ParallelPair | RowError]:
    limit, lang, pivot_lang = request.limits.chars, request.lang, request.pivot_lang
    for line, variants in units.read():
        names = taken.sides(variants)
        if names is None:
            taken.passed += 1
            continue
        taken.taken += 1
        pivot, text = variants[names[0]].strip(), variants[names[1]].strip()
        where = f"{source}:{line}"
        if text and pivot and len(text) <= limit and len(pivot) <= limit:
            yield ParallelPair(text, pivot, lang, pivot_lang, origin=where)
        else:
            made = attempt(make_pair, request, text=text, pivot=pivot, where=where)
            if made is not None:
                yield made


class _Units(XmlReader):
    """The variants of each ``tu``, with its first line."""

    def __init__(self, source: str, limit: int) -> None:
        super().__init__(source, limit)
        self.languages: set[str] = set()
        self._line = self._native = self._size = 0
        self._lang = ""
        self._variants: dict[str, str] = {}
        self._parts: list[str] | None = None
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "tuv":
            self._lang = attributes.get("xml:lang") or attributes.get("lang") or ""
        elif name == "seg":
            self._parts, self._size, self._native = [], 0, 0
            self.parser.CharacterDataHandler = self.text
        elif name == "tu":
            self._line, self._variants = self.parser.CurrentLineNumber, {}
        elif name in _NATIVE:
            self._native += 1

    def _end(self, name: str) -> None:
        if name == "seg" and self._parts is not None:
            self.parser.CharacterDataHandler = None
            lang, variants = self._lang, self._variants
            if lang not in variants or not variants[lang].strip():
                variants[lang] = "".join(self._parts)
            if len(self.languages) < 1000:
                self.languages.add(lang)
            self._parts = None
        elif name == "tu":
            self.done.append((self._line, self._variants))
            self._variants = {}
        elif name in _NATIVE:
            self._native -= 1

    def inside_text(self) -> bool:
        return self._parts is not None

    def text(self, content: str) -> None:
        if self._parts is not None and not self._native:
            self._parts.append(content)
            self._size += len(content)
            if self._size > self.limit:
                raise too_long(self.where(), self.limit)


Part = Tmx
