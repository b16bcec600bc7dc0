"""Stream XML through expat in bounded memory, without entities and external parts.

Expat is called directly: ``xml.sax``, and ``defusedxml`` above it, make an object of every tag,
and libraries for TMX and XLIFF (translate-toolkit) hold the whole file. As in ``defusedxml``, a
document that declares an entity is refused, and nothing outside of the file is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from html.entities import html5
from itertools import chain
from typing import Any, NoReturn
from xml.parsers import expat

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import open_bytes, take, too_long
from xadapt.data.readers.notes import Notes, joined

BLOCK = 1 << 16


class XmlReader:
    """A parser of one file. A subclass sets handlers on `parser` and appends to `done`.

    Attributes:
        parts: The characters since a handler cleared the list; handlers clear it often. Expat
            appends to it without a call of Python.
        reads_text: Whether `parts` belong to a text; handlers set it.

    Args:
        source: The file.
        limit: The longest text or tag, in characters.
    """

    def __init__(self, source: str, limit: int) -> None:
        self.source, self.limit = source, limit
        self.done: list[Any] = []
        self.entities: set[str] = set()  # of HTML, so at most a few thousand
        self.seen_anything = False
        self.parts: list[str] = []
        self.reads_text = False
        parser = self.parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.buffer_size = BLOCK
        parser.CharacterDataHandler = self.parts.append
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.EntityDeclHandler = self._refuse_entity
        parser.UnparsedEntityDeclHandler = self._refuse_entity
        parser.ExternalEntityRefHandler = lambda *_: 1  # A DTD is named in most files: not fetched.
        parser.SkippedEntityHandler = self._entity

    def where(self) -> str:
        """Return the place that is parsed."""
        return f"{self.source}:{self.parser.CurrentLineNumber or 1}"

    def read(self) -> Iterator[Any]:
        """Yield what the handlers append to `done`, as `blocks`, one by one."""
        return chain.from_iterable(self.blocks())

    def blocks(self) -> Iterator[list[Any]]:
        """Yield what the handlers append to `done`, many at a time.

        Raises:
            UserError: If the XML is malformed, declares entities or uses unknown ones, or a text or
                tag is too long.
        """
        fed = 0
        with open_bytes(self.source) as stream:
            while block := take(stream.read, BLOCK, self.source):
                self.seen_anything = True
                fed += len(block)
                self._feed(block)
                # Expat holds a tag or comment in memory until its end.
                if fed - max(self.parser.CurrentByteIndex, 0) > 4 * self.limit + BLOCK:
                    raise too_long(self.where(), self.limit)
                if sum(map(len, self.parts)) > self.limit:
                    if self.reads_text:
                        raise too_long(self.where(), self.limit)
                    self.parts.clear()
                if self.done:
                    yield self.done
                    self.done.clear()
        if self.seen_anything:
            self._feed(b"", True)
            yield self.done

    def tell_entities(self, notes: Notes) -> None:
        """Report entities of HTML that were read as their characters."""
        if self.entities:
            names = joined(sorted(self.entities)[:12])
            notes.add(self.source, f"entities of HTML are read as their characters: {names}")

    def _feed(self, block: bytes, last: bool = False) -> None:
        try:
            self.parser.Parse(block, last)
        except expat.ExpatError as error:
            raise UserError(
                f"this is not well-formed XML ({expat.ErrorString(error.code)})",
                where=f"{self.source}:{error.lineno}",
                todo="Export the file again",
            ) from None
        except (ValueError, LookupError) as error:  # encodings
            raise UserError(
                f"this XML is refused ({type(error).__name__}: {error})",
                where=self.where(),
                todo="Use UTF-8",
            ) from None

    def _refuse_entity(self, name: str, *_: Any) -> NoReturn:
        raise UserError(
            f"this XML is refused (it defines the entity {name[:40]!r})",
            where=self.where(),
            todo="Write the characters themselves, and define no entities",
        )

    def _entity(self, name: str, is_parameter: bool) -> None:
        """Read an undefined entity in a file with a DTD that is not fetched."""
        if is_parameter or not self.reads_text:
            return
        if f"{name};" not in html5:
            raise UserError(
                f"the entity {name[:40]!r} is not defined",
                where=self.where(),
                todo="Write the character itself, or &#NUMBER;",
            )
        self.entities.add(name)
        self.parts.append(html5[f"{name};"])


def local(name: str) -> str:
    """Return a tag without its namespace prefix."""
    return name.rpartition(":")[2]
