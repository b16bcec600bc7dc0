"""Read Gettext catalogues (``.po``): msgid is the pivot, msgstr the language.

Entries without a current translation are skipped: fuzzy, obsolete and untranslated entries, and
the header. Plural forms are skipped too, since their sides do not correspond one to one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

import polib

from xadapt.core.errors import UserError
from xadapt.data.readers.lines import has_suffix, read_lines, too_long
from xadapt.data.readers.notes import Notes, RowError, attempt, noted, without_faulty
from xadapt.data.readers.sides import Request, make_pair
from xadapt.data.records import ParallelPair

_KEYWORD = re.compile(r'(msgctxt|msgid|msgid_plural|msgstr(?:\[\d\])?)\s+".*"')


class Gettext:
    """Reader of ``.po``, also compressed."""

    format: ClassVar[str] = "po"
    gives: ClassVar[type] = ParallelPair

    def claims(self, source: str, request: Request) -> bool:
        """Return whether the name ends in ``.po``."""
        return has_suffix(source, ".po")

    def read(
        self, source: str, request: Request, notes: Notes | None = None
    ) -> Iterator[ParallelPair]:
        """Stream the translated entries.

        Args:
            source: The file.
            request: Languages, columns and limits.
            notes: Where untranslated and skipped entries are counted.

        Raises:
            UserError: If a line breaks the format, an entry is too long, half of the entries have
                only one side, no entry is translated, or a line can't be read.
        """
        found = noted(notes)
        passed: Counter[str] = Counter()
        translated = 0

        def records() -> Iterator[ParallelPair | RowError]:
            nonlocal translated
            for number, lines in _entries(source, request.limits.chars, passed):
                where = f"{source}:{number}"
                for entry in _parse(lines, where):
                    reason = _not_translated(entry)
                    if reason:
                        passed[reason] += bool(entry.msgid)
                        continue
                    translated += 1
                    sides = {"text": entry.msgstr, "pivot": entry.msgid}
                    pair = attempt(make_pair, request, **sides, where=where)
                    if pair is not None:
                        yield pair

        yield from without_faulty(records(), source, found, "entry")
        reasons = ", ".join(f"{count:,} {why}" for why, count in sorted(passed.items()) if count)
        if reasons and not translated:
            raise UserError(
                f"no entry is translated ({reasons})",
                where=source,
                todo="Review them; msgattrib --clear-fuzzy takes fuzzy ones as they are",
            )
        if reasons:
            found.add(source, f"entries passed over: {reasons}", usual=True)


def _not_translated(entry: polib.POEntry) -> str:
    """Return the reason why an entry gives no pair; empty if it gives one."""
    if entry.msgid_plural:
        return "with plural forms"
    if "fuzzy" in entry.flags:
        return "fuzzy"
    return "" if entry.msgid and entry.translated() else "untranslated"


def _entries(source: str, limit: int, passed: Counter[str]) -> Iterator[tuple[int, list[str]]]:
    """Split the file before every line that can't belong to the current entry."""
    lines: list[str] = []
    first, size, complete = 1, 0, False
    for number, raw in read_lines(source, limit=limit):
        # polib would split lines at every Unicode line separator inside a string.
        line = " ".join(raw.splitlines()).strip()
        if not line or line.startswith("#~"):
            passed["obsolete"] += line.startswith("#~ msgid ")
            continue
        keyword = _check(line, f"{source}:{number}")
        if complete and keyword is not None and not keyword.startswith("msgstr"):
            yield first, lines
            lines, size, complete = [], 0, False
        if not lines or keyword == "msgid":
            first = number
        complete = complete or (keyword or "").startswith("msgstr")
        lines.append(line)
        size += len(line)
        if size > limit:
            raise too_long(f"{source}:{first}", limit)
    if lines and complete:
        yield first, lines
    elif any(not line.startswith("#") for line in lines):
        raise UserError("this entry has no msgstr", where=f"{source}:{first}", todo="Complete it")


def _check(line: str, where: str) -> str | None:
    """Return the line's keyword, ``#`` for a comment, ``None`` for a continued string."""
    if line.startswith("#"):
        return "#"
    if line.startswith('"') and line.endswith('"') and len(line) > 1:
        return None
    match = _KEYWORD.fullmatch(line)
    if match is None:
        raise UserError(
            "this line is not gettext",
            where=where,
            todo='A line is a comment, a "string", or msgid, msgstr, msgctxt with a "string"',
        )
    return match[1]


def _parse(lines: list[str], where: str) -> polib.POFile:
    try:
        return polib.pofile("\n".join([*lines, ""]), encoding="utf-8")
    except (OSError, ValueError, LookupError) as error:
        reason = str(error).partition("(line")[0].strip()
        raise UserError(
            f"this entry is not valid gettext ({reason})",
            where=where,
            todo="Check it with msgfmt --check",
        ) from None


Part = Gettext
