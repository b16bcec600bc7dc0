"""Apertium, a free rule-based translator (https://www.apertium.org), as a program.

Debian and Ubuntu have it: ``apt-get install apertium apertium-eng-spa``. Apertium is not needed for
anything else.
"""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache

import langcodes

from xadapt.core.errors import UserError

BATCH = 2000
"""Texts in one run of the program. A run takes half a second before its first text."""
_ENTITY = re.compile(r"&#?\w+;")
FORMAT = "html-noent"
INSTALL = "Install apertium and a package of the language pair, such as apertium-eng-spa"


class Apertium:
    """Apertium with the language pairs that are installed.

    Markup such as ``<b>`` and ``</b>`` is kept where its words go. A text is one line: white
    space inside it becomes one space.

    Raises:
        UserError: If the program is not installed.
    """

    def __init__(self) -> None:
        if shutil.which("apertium") is None:
            raise UserError("the program apertium is not installed", todo=INSTALL)

    @property
    def facts(self) -> Mapping[str, str]:
        """The version of the program and the installed directions."""
        return {"translator": "apertium", "version": _version(), "directions": " ".join(_modes())}

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        """Translate texts; see `Translator.translate`."""
        mode = self.direction(source, target)
        lines = [" ".join(text.split()) for text in texts]
        filled = [line for line in lines if line]
        found: list[str] = []
        for start in range(0, len(filled), BATCH):
            found += _translated(filled[start : start + BATCH], mode)
        given = iter(found)
        return [next(given) if line else "" for line in lines]

    def direction(self, source: str, target: str) -> str:
        """Return the name of an installed direction, such as ``eng-spa``.

        Raises:
            UserError: If the language pair is not installed.
        """
        modes = _modes()
        for mode in modes:
            if mode in {f"{a}-{b}" for a in _codes(source) for b in _codes(target)}:
                return mode
        raise UserError(
            f"apertium has no direction from {source} to {target} here; it has "
            f"{', '.join(modes) or 'none'}",
            todo=INSTALL,
        )


def _translated(lines: Sequence[str], mode: str) -> list[str]:
    """Translate one batch, a paragraph of HTML a text; a text with paragraphs of its own alone."""
    if len(lines) == 1:
        return [_as_given(lines[0], _run("-u", "-f", FORMAT, mode, given=lines[0]).strip())]
    given = "".join(f"<p>{line}</p>\n" for line in lines)
    parts = _run("-u", "-f", FORMAT, mode, given=given).split("</p>")[:-1]
    if len(parts) != len(lines):
        half = len(lines) // 2
        return _translated(lines[:half], mode) + _translated(lines[half:], mode)
    inner = [part.partition("<p>")[2].strip() for part in parts]
    return [_as_given(line, part) for line, part in zip(lines, inner, strict=True)]


def _as_given(text: str, translation: str) -> str:
    """Write ``<`` and ``&`` as the text does: Apertium always gives their names in HTML."""
    return translation if _ENTITY.search(text) else html.unescape(translation)


def _run(*arguments: str, given: str = "") -> str:
    done = subprocess.run(
        ["apertium", *arguments], input=given, capture_output=True, text=True, encoding="utf-8"
    )
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise UserError(f"apertium {' '.join(arguments)} failed: {''.join(last)}")
    return done.stdout


@cache
def _version() -> str:
    return _run("-V").split()[-1]


@cache
def _modes() -> tuple[str, ...]:
    return tuple(sorted(_run("-l").split()))


def _codes(tag: str) -> tuple[str, ...]:
    """Return the codes by which a language pair may name a language: of three or two letters."""
    language = langcodes.Language.get(tag)
    region = f"_{language.territory}" if language.territory else ""
    codes = (language.to_alpha3(), str(language.language))
    return tuple(f"{code}{region}" for code in codes)
