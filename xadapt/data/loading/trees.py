"""Records made of dependency trees, for a run whose recipe names a maker."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.data.readers.notes import Notes, noted, read_with_notes
from xadapt.data.records import ParsedSentence
from xadapt.data.transforms import open_ie
from xadapt.languages.tags import normalise

MAKERS: dict[str, Callable[[Iterable[ParsedSentence]], list[Any]]] = {
    "open_ie_predicates": open_ie.predicates,
    "open_ie_arguments": open_ie.arguments,
}


def made_of_trees(
    maker: str, reader: str, path: str, lang: str, notes: Notes | None = None
) -> list[Any]:
    """What a maker makes of all sentences of a file.

    Args:
        maker: One of `MAKERS`.
        reader: Name of a reader that gives trees.
        path: The file.
        lang: Its language.
        notes: Where the reader reports what it skipped; without, it is logged.

    Raises:
        UserError: The reader gives something else, the file is unusable, or nothing is made of it.
    """
    part = registry.load("readers", reader)
    if getattr(part, "gives", None) is not ParsedSentence:
        raise UserError(
            f"{maker} wants trees, which the recipe's reader {reader} does not give",
            todo="--set data.train.reader=conllu_trees",
        )
    rows = MAKERS[maker](read_with_notes(part(), path, normalise(lang), noted(notes)))
    if not rows:
        raise UserError(f"{maker} finds nothing to learn from in this file", where=path)
    return rows
