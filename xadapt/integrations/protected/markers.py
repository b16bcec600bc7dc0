"""Cut a text into lines to translate, with a marker in place of each part that must be kept."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xadapt.integrations.protected.spans import Span, find_spans

NAMES = ("QZ", "XJ", "ZK", "KX", "JQ", "VQX")
"""Letters of markers. Those that a text has nowhere are used, so that no marker is its own."""
_LEAD = re.compile(r"(?:[ \t]*(?:[-*+•>]|\d{1,3}[.)]|[A-Za-z]\)|#{1,6})(?=[ \t]))*[ \t]*")
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True)
class Line:
    """A line to translate.

    Attributes:
        text: The line, with a marker in place of each kept part: ``QZ0QZ``, ``QZ1QZ`` ..
        kept: The kept parts, in the order of the line.
        name: The letters of its markers.
    """

    text: str
    kept: tuple[str, ...]
    name: str

    def restore(self, translation: str) -> tuple[str, str]:
        """Put the kept parts back.

        Args:
            translation: The translation of ``text``.

        Returns:
            The line with its kept parts, and an empty text; or an empty text, and the reason why
            the markers are not those of the line.
        """
        pattern = re.compile(rf"{self.name} ?(\d+) ?{self.name}")
        found = Counter(int(number) for number in pattern.findall(translation))
        wanted = Counter(range(len(self.kept)))
        if lost := wanted - found:
            return "", f"lost {_shown(self.kept[min(lost)])}"
        if more := found - wanted:
            number = min(more)
            known = number < len(self.kept)
            return "", (
                f"doubled {_shown(self.kept[number])}" if known else f"invented marker {number}"
            )
        made = pattern.sub(lambda marker: self.kept[int(marker[1])], translation)
        left = pattern.sub("", translation)
        return ("", "left a piece of a marker") if self.name in left else (made, "")

    def pieces(self) -> list[str]:
        """Return the words before, between and after the markers."""
        return re.split(rf"{self.name}\d+{self.name}", self.text)

    def of_pieces(self, pieces: Sequence[str]) -> str:
        """Put the kept parts between pieces that were translated alone."""
        return pieces[0] + "".join(
            kept + piece for kept, piece in zip(self.kept, pieces[1:], strict=True)
        )


@dataclass(frozen=True)
class Template:
    """A text in parts: what stays as it is, and lines to translate.

    Attributes:
        parts: Texts that stay (white space, list marks, blocks of code) and `Line` values.
        spans: The kept parts of the text.
    """

    parts: tuple[str | Line, ...]
    spans: tuple[Span, ...]

    @property
    def lines(self) -> list[Line]:
        """The lines to translate."""
        return [part for part in self.parts if isinstance(part, Line)]

    def fill(self, translations: Sequence[str]) -> str:
        """Build the text from the restored translation of each line."""
        given = iter(translations)
        return "".join(part if isinstance(part, str) else next(given) for part in self.parts)


def has_words(text: str) -> bool:
    """Return whether a text has a letter, so that it can be translated."""
    return bool(_LETTER.search(text))


def template_of(text: str, keep: Sequence[str]) -> Template:
    """Cut a text into lines and find what must be kept in each.

    A line whose words all stand in kept parts stays as it is. The mark of a list, heading or
    quotation stays before its line.
    """
    spans = find_spans(text, keep)
    name = next((one for one in NAMES if one not in text.upper()), "")
    name = name or _unused(lambda one: one not in text.upper())
    parts: list[str | Line] = []
    atoms: list[str | Span] = []
    place = 0
    for span in spans:
        parts += _closed(atoms, text[place : span.start], text, name)
        atoms.append(span)
        place = span.end
    parts += _closed(atoms, text[place:], text, name)
    parts += _line(atoms, text, name)
    return Template(tuple(part for part in parts if part != ""), tuple(spans))


def _closed(atoms: list[str | Span], more: str, text: str, name: str) -> list[str | Line]:
    """Add plain text to the open line, and return the lines that its line ends close."""
    parts: list[str | Line] = []
    *whole, last = re.split(r"(\r\n?|\n)", more)
    for piece in whole:
        if piece in ("\n", "\r", "\r\n"):
            parts += [*_line(atoms, text, name), piece]
            atoms.clear()
        else:
            atoms.append(piece)
    atoms.append(last)
    return parts


def _line(atoms: Sequence[str | Span], text: str, name: str) -> list[str | Line]:
    """Make the parts of one line."""
    plain = [atom if isinstance(atom, str) else text[atom.start : atom.end] for atom in atoms]
    if not any(isinstance(atom, str) and has_words(atom) for atom in atoms):
        return ["".join(plain)]
    kept = [text[atom.start : atom.end] for atom in atoms if isinstance(atom, Span)]
    number = iter(range(len(kept)))
    marked = "".join(
        atom if isinstance(atom, str) else f"{name}{next(number)}{name}" for atom in atoms
    )
    lead = _LEAD.match(marked)
    start = lead.end() if lead else 0
    body = marked[start:].rstrip()
    return [marked[:start], Line(body, tuple(kept), name), marked[start + len(body) :]]


def _unused(fits: Callable[[str], bool]) -> str:
    return next(name for size in range(3, 100) if fits(name := "QZX" * size))


def _shown(kept: str) -> str:
    text = " ".join(kept.split())
    return repr(text if len(text) <= 40 else text[:37] + "...")
