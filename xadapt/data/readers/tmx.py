"""Stream TMX translation memories (1.4b and earlier), without external entities and DTDs.

A unit's variants are matched by ``xml:lang``. Another region is used if the requested region is
absent (``en-US`` for ``en``). Units without both languages are skipped. A memory without any unit
in both languages is an error. The first variant of a language that is not empty is used. Entities
of HTML (``&nbsp;``) are read as their characters. Any other undefined entity is an error, as in a
file without a document type. As in the standard, native codes (``bpt ept ph it ut``) are omitted
from the text, and highlighted text (``hi``) stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from html.entities import html5
from typing import ClassVar
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler, feature_external_ges, feature_external_pes
from xml.sax.xmlreader import AttributesImpl

from defusedxml.expatreader import DefusedExpatParser

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import has_suffix, open_bytes, take, too_long
from xadapt.data.readers.notes import Notes, RowError, attempt, joined, noted, without_faulty
from xadapt.data.readers.sides import Request, find_language, make_pair
from xadapt.data.records import ParallelPair

_BLOCK = 1 << 16
_NATIVE = frozenset({"bpt", "ept", "ph", "it", "ut"})
_REFUSED = (ValueError, LookupError)  # defusedxml's refusals, unknown encodings


class Tmx:
    """Reader of ``.tmx``, also ``.gz``, in any encoding its XML declaration names."""

    format: ClassVar[str] = "tmx"
    gives: ClassVar[type] = ParallelPair

    def claims(self, source: str, request: Request) -> bool:
        """Return whether the name ends in ``.tmx``, also ``.gz``."""
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
        handler = _Units(source, request.limits.chars)
        taken = passed = 0

        def records() -> Iterator[ParallelPair | RowError]:
            nonlocal taken, passed
            for line, variants in _units(source, handler):
                pivot = find_language(list(variants), request.pivot_lang)
                text = find_language(list(variants), request.lang)
                if pivot is None or text is None or pivot == text:
                    passed += 1
                    continue
                taken += 1
                sides = {"text": variants[text], "pivot": variants[pivot]}
                pair = attempt(make_pair, request, **sides, where=f"{source}:{line}")
                if pair is not None:
                    yield pair

        yield from without_faulty(records(), source, found, "unit")
        both = f"both {request.pivot_lang} and {request.lang}"
        if not taken and handler.seen_anything:
            known = ", ".join(sorted(handler.languages)[:12]) or "none"
            raise UserError(
                f"no unit has {both} (languages: {known})",
                where=source,
                todo="Check --lang and --pivot",
            )
        if handler.entities:
            names = joined(sorted(handler.entities)[:12])
            found.add(source, f"entities of HTML are read as their characters: {names}")
        if passed:
            found.add(source, f"{passed:,} units without {both} are passed over", usual=True)


class _Units(ContentHandler):
    """A handler that collects the variants of each ``tu`` with its first line."""

    def __init__(self, source: str, limit: int) -> None:
        super().__init__()
        self.source, self.limit = source, limit
        self.done: list[tuple[int, dict[str, str]]] = []
        self.languages: set[str] = set()
        self.entities: set[str] = set()  # of HTML, so at most a few thousand
        self.seen_anything = False
        self.quiet = 0  # bytes fed since the last event, which expat keeps in memory
        self.line = self.native = self.size = 0
        self.lang = ""
        self.variants: dict[str, str] = {}
        self.parts: list[str] | None = None
        self.parser = DefusedExpatParser(forbid_external=False)
        # External parts are never fetched, so a reference to the TMX DTD (in most files) is safe.
        self.parser.setFeature(feature_external_ges, False)
        self.parser.setFeature(feature_external_pes, False)
        self.parser.setContentHandler(self)

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802
        self.quiet = 0
        if name == "tu":
            self.line, self.variants = self.parser.getLineNumber(), {}
        elif name == "tuv":
            self.lang = attrs.get("xml:lang") or attrs.get("lang") or ""
        elif name == "seg":
            self.parts, self.size, self.native = [], 0, 0
        elif name in _NATIVE:
            self.native += 1

    def endElement(self, name: str) -> None:  # noqa: N802
        self.quiet = 0
        if name == "seg" and self.parts is not None:
            if len(self.languages) < 1000:
                self.languages.add(self.lang)
            if not self.variants.get(self.lang, "").strip():
                self.variants[self.lang] = "".join(self.parts)
            self.parts = None
        elif name == "tu":
            self.done.append((self.line, self.variants))
            self.variants = {}
        elif name in _NATIVE:
            self.native -= 1

    def characters(self, content: str) -> None:
        self.quiet = 0
        if self.parts is not None and not self.native:
            self.parts.append(content)
            self.size += len(content)
            if self.size > self.limit:
                raise too_long(f"{self.source}:{self.parser.getLineNumber()}", self.limit)

    def skippedEntity(self, name: str) -> None:  # noqa: N802
        """Handle an undefined entity in a file with a DTD that is not fetched."""
        self.quiet = 0
        if self.parts is None or name.startswith("%"):
            return
        if f"{name};" not in html5:
            raise UserError(
                f"the entity {name[:40]!r} is not defined",
                where=f"{self.source}:{self.parser.getLineNumber()}",
                todo="Write the character itself, or &#NUMBER;",
            )
        self.entities.add(name)
        self.characters(html5[f"{name};"])


def _units(source: str, handler: _Units) -> Iterator[tuple[int, dict[str, str]]]:
    with open_bytes(source) as stream:
        while block := take(stream.read, _BLOCK, source):
            handler.seen_anything = True
            handler.quiet += len(block)
            _feed(handler, block)
            if handler.quiet > 4 * handler.limit:
                raise too_long(f"{source}:{handler.parser.getLineNumber()}", handler.limit)
            yield from handler.done
            handler.done.clear()
    if handler.seen_anything:
        _feed(handler, None)


def _feed(handler: _Units, block: bytes | None) -> None:
    try:
        if block is None:
            handler.parser.close()
        else:
            handler.parser.feed(block)
    except SAXParseException as error:
        raise UserError(
            f"this is not well-formed XML ({error.getMessage()})",
            where=f"{handler.source}:{error.getLineNumber()}",
            todo="Export the memory again as TMX",
        ) from None
    except _REFUSED as error:
        raise UserError(
            f"this XML is refused ({type(error).__name__}: {error})",
            where=f"{handler.source}:{handler.parser.getLineNumber() or 1}",
            todo="Use UTF-8 and define no entities",
        ) from None


Part = Tmx
