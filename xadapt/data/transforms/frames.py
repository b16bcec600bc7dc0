"""Read and fill sentence frames: hand-written patterns with places for the two names of a fact.

A frames file is YAML with ``relations`` (the types of both ends), ``characters`` (languages
without spaces) and ``frames`` (language, relation, frame id, pattern with ``{head}`` and
``{tail}``). The shipped one is ``kg_data/cldr/frames.yaml``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from xadapt.core.errors import UserError
from xadapt.core.resources import resource
from xadapt.core.strict_parsing import parse_yaml
from xadapt.languages.match import find_same
from xadapt.languages.tags import normalise

PLACE = re.compile(r"\{(head|tail)\}")
MARKS = frozenset('"“”„«»‹›「」『』:：\n\r\t')
"""Characters that mark the beginning and end of a name in a sentence."""


@dataclass(frozen=True)
class Filled:
    """A sentence made from a frame.

    Attributes:
        text: The sentence.
        head: Start and end character of the head's name; half-open.
        tail: Start and end character of the tail's name; half-open.
    """

    text: str
    head: tuple[int, int]
    tail: tuple[int, int]


@dataclass(frozen=True)
class Frames:
    """All frames of a file.

    Attributes:
        types: Types of head and tail by relation, such as ``("TERRITORY", "CURRENCY")``.
        patterns: Patterns by language, relation and frame id.
        characters: Languages in which each character is a word.
    """

    types: Mapping[str, tuple[str, str]]
    patterns: Mapping[str, Mapping[str, Mapping[str, str]]]
    characters: frozenset[str]

    def of(self, lang: str, relation: str) -> Mapping[str, str]:
        """Return the frames of a relation in a language, by id.

        Raises:
            UserError: If there are no frames for that language or relation.
        """
        tag = find_same(lang, self.patterns)
        if tag is None:
            raise UserError(
                f"there are no sentence frames in {lang!r}",
                todo=f"There are some in {', '.join(self.patterns)}",
            )
        if relation not in self.types:
            raise UserError(
                f"there are no sentence frames for the relation {relation!r}",
                todo=f"There are some for {', '.join(self.types)}",
            )
        return self.patterns[tag][relation]


def fill(pattern: str, head: str, tail: str) -> Filled:
    """Insert two names into a pattern, without changes to the names."""
    names = {"head": head, "tail": tail}
    spans, text = {}, ""
    pieces = PLACE.split(pattern)  # literal, place, literal, place, literal
    for literal, place in zip(pieces[::2], pieces[1::2], strict=False):
        text += literal
        spans[place] = (len(text), len(text) + len(names[place]))
        text += names[place]
    text += pieces[-1]
    return Filled(text, spans["head"], spans["tail"])


def fits(pattern: str, *names: str) -> bool:
    """Return whether no name has a line break, a tab, or a quote or colon of the pattern."""
    own = MARKS.intersection(PLACE.sub("", pattern)) | {"\n", "\r", "\t"}
    return not any(own.intersection(name) for name in names)


@cache
def load_frames(path: Path | None = None) -> Frames:
    """Read and check a frames file.

    Args:
        path: The file. None means the shipped frames of the CLDR graph.

    Raises:
        UserError: If the file is no frames file. Each language must have every relation with the
            same frame ids, and each pattern must have each place once.
    """
    path = path or resource("kg_data", "cldr", "frames.yaml")
    try:
        raw, _ = parse_yaml(path.read_text(encoding="utf-8"), where=str(path))
        types = {r: (ends["head"], ends["tail"]) for r, ends in raw["relations"].items()}
        characters = frozenset(raw.get("characters", ()))
        patterns = {normalise(str(lang)): rows for lang, rows in raw["frames"].items()}
    except FileNotFoundError:
        raise UserError("there is no such file", where=str(path)) from None
    except UserError as error:
        where = error.where or str(path)
        what = f"this is no file of sentence frames ({error.what})"
        raise UserError(what, where=where, todo=error.todo) from None
    except (UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"this is no file of sentence frames ({type(error).__name__}: {error})", where=str(path)
        ) from None
    faults = list(_faults(types, patterns))
    if faults:
        raise UserError("; ".join(faults), where=str(path), todo="See kg_data/cldr/frames.yaml")
    return Frames(types, patterns, characters)


def _faults(types: Mapping[str, Any], patterns: Mapping[str, Any]) -> list[str]:
    faults = []
    for relation in types:
        rows = {lang: _rows(patterns[lang], relation) for lang in patterns}
        ids = {key for row in rows.values() for key in row}
        for lang, row in rows.items():
            missing = sorted(ids - set(row))
            if missing or not row:
                faults.append(f"{lang}/{relation} lacks {', '.join(missing) or 'frames'}")
            faults += [
                f"{lang}/{relation}/{key} needs {{head}} and {{tail}}, each once"
                for key, pattern in row.items()
                if sorted(PLACE.findall(str(pattern))) != ["head", "tail"]
            ]
    return faults


def _rows(relations: Any, relation: str) -> Mapping[str, str]:
    rows = relations.get(relation) if isinstance(relations, dict) else None
    return rows if isinstance(rows, dict) else {}
