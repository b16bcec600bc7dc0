"""The libraries whose files a folder gets: those that are asked for, by default all."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from xadapt.core.errors import UserError
from xadapt.core.sequences import as_strings
from xadapt.hub.manifest import LOADERS, Loader

ALL, NONE = "all", "none"
# A library that depends on another library's files is dropped with that library.
STANDS_ON = {"transformers": "peft", "sentence-transformers": "peft"}
NOT_ASKED = Loader(status="left out", reason="its files were not asked for")


def loaders_of(asked: str | Iterable[str] | None) -> tuple[str, ...] | None:
    """Check names of libraries, each once; ``None`` is the default.

    Args:
        asked: Names, also separated by commas; ``all``, or ``none``.

    Raises:
        UserError: If there is no such library.
    """
    if asked is None:
        return None
    names = [part.strip() for text in as_strings(asked) for part in text.split(",")]
    known = (*LOADERS, ALL, NONE)
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise UserError(
                f"no folder is written for {name!r}.{hint}",
                where="--loaders",
                todo=f"Choose from {', '.join(known)}",
            )
    if len(names) > 1 and {ALL, NONE} & set(names):
        raise UserError("all and none stand alone", where="--loaders", todo="Name the libraries")
    if ALL in names:
        return LOADERS
    return tuple(name for name in LOADERS if name in names)


def chosen(asked: str | Iterable[str] | None) -> frozenset[str]:
    """Return the libraries whose files are to be written, with those that they stand on.

    Args:
        asked: As for `loaders_of`.

    Raises:
        UserError: If there is no such library.
    """
    names = loaders_of(asked)
    names = LOADERS if names is None else names
    return frozenset(names) | {STANDS_ON[name] for name in names if name in STANDS_ON}
