"""Files of names that one source gives entities, and files of names that people checked.

Two forms are read. JSON lines are those of WikiKGE-10: ``values`` holds names, or lists of score,
name and whether it is primary. A table has an entity and a name on each line, and perhaps a score.
Names stay as they are written, because scoring compares them by rules of its own.

Source: Conia et al. 2023, https://arxiv.org/abs/2311.15781; files of github.com/apple/ml-kge.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from xadapt.core.errors import UserError
from xadapt.data.readers.graph_files import json_rows, rows
from xadapt.data.readers.lines import has_suffix
from xadapt.data.readers.sides import is_unicode

MEANING = '{"wikidata_id": "Q64", "values": [[2, "Berlin", true]]}'
TABLE = "an entity and a name, and perhaps a score that is a whole number"
GOLD = '{"wikidata_id": "Q64", "correct_values": ["Berlin"], "incorrect_values": ["Bern"]}'
MOST = 10**6
"""The highest score of a name."""


@dataclass(frozen=True)
class ScoredName:
    """A name that a source gives an entity.

    Attributes:
        name: The name, as written.
        score: Its score in the source; 1 if the source has no scores.
        primary: Whether the source marks it as the usual name.
    """

    name: str
    score: int = 1
    primary: bool = False


@dataclass(frozen=True)
class CheckedNames:
    """Names of an entity that people checked.

    Attributes:
        right: The right names.
        wrong: Names that are in use and wrong.
    """

    right: tuple[str, ...]
    wrong: tuple[str, ...]


NameTable = Mapping[str, tuple[ScoredName, ...]]
"""Names by entity."""


def read_names(path: str) -> dict[str, tuple[ScoredName, ...]]:
    """Read the names that one source gives entities.

    A line of JSON replaces an earlier line of the same entity, as in the authors' scoring. The
    lines of a table add up.

    Args:
        path: The file, ``.jsonl`` or ``.json`` with JSON lines, else a table with tabs; plain or
            compressed.

    Raises:
        UserError: If the file can't be read, is empty, or a line is faulty.
    """
    found: dict[str, tuple[ScoredName, ...]] = {}
    if has_suffix(path, ".jsonl", ".json"):
        for where, row in json_rows(path, MEANING):
            found[_id(row, where)] = tuple(_scored(row, where))
        return found
    for where, cells in rows(path, (2, 3), TABLE):
        score = _score(int(cells[2]) if cells[2].isdecimal() else None, where) if cells[2:] else 1
        found[cells[0]] = (*found.get(cells[0], ()), ScoredName(_name(cells[1], where), score))
    return found


def read_checked(path: str) -> dict[str, CheckedNames]:
    """Read names that people checked.

    Args:
        path: A file with JSON lines of WikiKGE-10's gold names.

    Raises:
        UserError: If the file can't be read, is empty, or a line is faulty.
    """
    found: dict[str, CheckedNames] = {}
    for where, row in json_rows(path, GOLD):
        if "correct_values" not in row and "incorrect_values" not in row:
            raise UserError("this line has no checked names", where=where, todo=f"It holds {GOLD}")
        right, wrong = (
            tuple(_name(name, where) for name in _list(row, key, where))
            for key in ("correct_values", "incorrect_values")
        )
        found[_id(row, where)] = CheckedNames(right, wrong)
    return found


def _scored(row: Mapping[str, Any], where: str) -> Iterator[ScoredName]:
    if "values" not in row:
        raise UserError("this line has no values", where=where, todo=f"It holds {MEANING}")
    flags = row.get("primary")
    for i, value in enumerate(_list(row, "values", where)):
        if isinstance(value, list):
            if len(value) != 3 or not isinstance(value[2], bool):
                raise UserError("a value is no [score, name, primary]", where=where, todo=MEANING)
            yield ScoredName(_name(value[1], where), _score(value[0], where), value[2])
        else:
            first = isinstance(flags, list) and flags[i : i + 1] == [True]
            yield ScoredName(_name(value, where), primary=first)


def _score(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST:
        raise UserError(f"a score is no whole number from 0 to {MOST:,}", where=where)
    return value


def _name(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise UserError("a name is no text", where=where)
    if not is_unicode(value):
        raise UserError("a name holds half a surrogate pair, which is no character", where=where)
    return value


def _id(row: Mapping[str, Any], where: str) -> str:
    value = row.get("wikidata_id", row.get("id"))
    if not isinstance(value, str) or not value.strip() or not is_unicode(value):
        raise UserError("wikidata_id is no text", where=where, todo=f"A line holds {MEANING}")
    return value


def _list(row: Mapping[str, Any], key: str, where: str) -> list[Any]:
    found = row.get(key, [])
    if not isinstance(found, list):
        raise UserError(f"{key} is no list", where=where)
    return found
