"""Stream XLIFF 1.2 and 2 (OASIS): the source and the target of each translated unit.

Units without a target are counted and skipped, and so are units with a state that says that they
are not translated (``new``, ``needs-translation``, ``initial``). Proposals (``alt-trans``,
``matches``) and what lies between segments are not read. Native codes are omitted from the text, as
in TMX; text inside of ``g``, ``pc`` and ``mrk`` stays. Either side may be the pivot.

translate-toolkit also reads XLIFF, as a whole file in memory; here a file of any size is streamed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import ClassVar, NamedTuple

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import has_suffix
from xadapt.data.readers.notes import Notes, RowError, attempt, noted, without_faulty
from xadapt.data.readers.sides import Request, find_language, make_pair
from xadapt.data.readers.xml_stream import XmlReader, local
from xadapt.data.records import ParallelPair

_NATIVE = frozenset({"bpt", "ept", "ph", "it", "sub", "data"})
_ASIDE = frozenset({"alt-trans", "seg-source", "matches", "ignorable", "notes", "glossary"})
_OPEN = frozenset({"new", "needs-translation", "initial"})


class Unit(NamedTuple):
    """A source and a target, with the languages of their file.

    Attributes:
        line: First line of the unit.
        langs: Languages of source and target; the second may be empty.
        source: The source.
        target: The target; ``None`` if there is none.
        state: State of the translation; may be empty.
    """

    line: int
    langs: tuple[str, str]
    source: str
    target: str | None
    state: str


class Xliff:
    """Reader of ``.xlf``, ``.xliff`` and ``.sdlxliff``, also compressed."""

    format: ClassVar[str] = "xliff"
    gives: ClassVar[type] = ParallelPair

    def claims(self, source: str, request: Request) -> bool:
        """Return whether the name ends in ``.xlf``, ``.xliff`` or ``.sdlxliff``."""
        return has_suffix(source, ".xlf", ".xliff", ".sdlxliff")

    def read(
        self, source: str, request: Request, notes: Notes | None = None
    ) -> Iterator[ParallelPair]:
        """Stream the pairs of the translated units.

        Args:
            source: The file.
            request: Languages, columns and limits.
            notes: Where skipped units are reported.

        Raises:
            UserError: If the XML is malformed, defines entities or uses unknown entities, a text is
                too long, half of the units have an empty side, or no unit is translated between
                both languages.
        """
        found = noted(notes)
        units = _Units(source, request.limits.chars)
        passed: Counter[str] = Counter()
        taken = 0

        def pairs() -> Iterator[ParallelPair | RowError]:
            nonlocal taken
            for unit in units.read():
                order, reason = _order(unit, request)
                if reason:
                    passed[reason] += 1
                    continue
                taken += 1
                pivot, text = (unit.source, unit.target or "")[:: 1 if order else -1]
                where = f"{source}:{unit.line}"
                made = attempt(make_pair, request, text=text, pivot=pivot, where=where)
                if made is not None:
                    yield made

        yield from without_faulty(pairs(), source, found, "unit")
        both = f"{request.pivot_lang} and {request.lang}"
        if not taken and units.seen_anything:
            raise _nothing(units, passed, source, both)
        units.tell_entities(found)
        if units.guessed:
            found.add(source, f"no target language is named: it is taken to be of {both}")
        if passed:
            reasons = ", ".join(f"{count:,} {why}" for why, count in sorted(passed.items()))
            found.add(source, f"units passed over: {reasons}", usual=True)


def _nothing(units: _Units, passed: Counter[str], source: str, both: str) -> UserError:
    known = ", ".join(sorted(units.languages)[:12]) or "none"
    reasons = ", ".join(f"{count:,} {why}" for why, count in sorted(passed.items())) or "no unit"
    return UserError(
        f"no unit is translated between {both} (languages: {known}; {reasons})",
        where=source,
        todo="Check --lang and --pivot, and whether the file is translated",
    )


def _order(unit: Unit, request: Request) -> tuple[bool, str]:
    """Return whether the source is the pivot, and the reason if the unit gives no pair."""
    if unit.target is None or not unit.target.strip() or unit.state in _OPEN:
        return True, "untranslated" if unit.source.strip() else "empty"
    for pivot_first in (True, False):
        tags = (request.pivot_lang, request.lang)[:: 1 if pivot_first else -1]
        if all(
            not name or find_language([name], tag)
            for name, tag in zip(unit.langs, tags, strict=True)
        ):
            return pivot_first, ""
    return True, "in other languages"


class _Units(XmlReader):
    """The units of a file, in either version."""

    def __init__(self, source: str, limit: int) -> None:
        super().__init__(source, limit)
        self.languages: set[str] = set()
        self.guessed = False
        self._langs = ("", "")
        self._aside = self._codes = self._line = 0
        self._kept: list[str] = []
        self._state = ""
        self._source: str | None = None
        self._target: str | None = None
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        tag = local(name)
        if tag in _ASIDE:
            self._aside += 1
        elif self._aside:
            return
        elif tag in ("source", "target") and self._line:
            self._codes = 0
            if tag == "target":
                self._state = attributes.get("state", self._state)
            self.parts.clear()
            self.reads_text = True
        elif tag in ("trans-unit", "segment"):
            self._line, self._state = self.parser.CurrentLineNumber, attributes.get("state", "")
            self._source = self._target = None
        elif tag in _NATIVE:
            self._kept = self._kept if self._codes else self.parts[:]
            self._codes += 1
        elif tag == "file" and "source-language" in attributes:
            self._speak(attributes.get("source-language"), attributes.get("target-language"))
        elif tag == "xliff" and "srcLang" in attributes:
            self._speak(attributes.get("srcLang"), attributes.get("trgLang"))
        elif tag == "cp" and self.reads_text:
            self.parts.append(_character(attributes.get("hex", "")))

    def _speak(self, source: str | None, target: str | None) -> None:
        self._langs = (source or "", target or "")
        if len(self.languages) < 1000:
            self.languages.update(lang for lang in self._langs if lang)
        self.guessed = self.guessed or not target

    def _end(self, name: str) -> None:
        tag = local(name)
        if tag in _ASIDE:
            self._aside -= 1
        elif self._aside:
            return
        elif tag in ("source", "target") and self.reads_text:
            text = "".join(self.parts)
            self.reads_text = False
            if tag == "source":
                self._source = text
            else:
                self._target = text
        elif tag in ("trans-unit", "segment") and self._line:
            unit = Unit(self._line, self._langs, self._source or "", self._target, self._state)
            self.done.append(unit)
            self._line = 0
        elif tag in _NATIVE:
            self._codes -= 1
            if not self._codes:
                self.parts[:] = self._kept


def _character(code: str) -> str:
    """Return the character that XML can't hold, by its hexadecimal code; a space for no text."""
    try:
        character = chr(int(code, 16))
    except (ValueError, OverflowError):
        return " "
    return character if character.isprintable() else " "


Part = Xliff
