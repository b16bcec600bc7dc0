"""Use of a module on another base than its own: refused, or allowed and then stated everywhere.

A module on another base computes vectors, but not those that it was trained for. Who wants them all
the same, for an experiment, opens the block `allowing_base_mismatch`. A notice then names the
difference, and everything that is saved inside the block states it: manifests and cards,
compositions, saved encoders, indexes of vectors, and results in JSON.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from xadapt.core.errors import Notice, UserError
from xadapt.hub.markdown import escaped

ALLOW = "--allow-base-mismatch (allow_base_mismatch=True in Python) uses it all the same"
FACT = "base_mismatch"
"""The key under which results in JSON state the differences."""
_found: ContextVar[list[str] | None] = ContextVar("found", default=None)


class BaseMismatchNotice(Notice):
    """A notice that a module is used on another base than it was trained on."""


@contextmanager
def allowing_base_mismatch(allowed: bool = True) -> Iterator[list[str]]:
    """Allow modules of another base inside the block.

    Args:
        allowed: If false, the context has no effect.

    Yields:
        The differences that were found so far, one line for each module.
    """
    if not allowed:
        yield []
        return
    outer = _found.get()
    with _within([] if outer is None else outer) as found:
        yield found


@contextmanager
def restating(lines: Iterable[str]) -> Iterator[None]:
    """State these differences in everything that is saved inside the block."""
    found = list(dict.fromkeys([*base_mismatches(), *lines]))
    if not found:
        yield
        return
    with _within(found):
        yield


def base_mismatches() -> list[str]:
    """Return the differences that were allowed so far in the surrounding block."""
    return list(_found.get() or ())


def require_base(name: str, differs: Sequence[str], base: str | None, where: str) -> str | None:
    """Refuse a module of another base, or note the difference where it is allowed.

    Args:
        name: Name of the module.
        differs: The differences of the bases in words.
        base: Hub id of the module's own base.
        where: The module's folder.

    Returns:
        The line that is noted; ``None`` if the bases are equal.

    Raises:
        UserError: If the bases differ and this is not allowed.
    """
    if not differs:
        return None
    found = _found.get()
    said = f"trained on another base: {'; '.join(differs)}"
    if found is None:
        todo = f"Load it on {base or 'the base it was trained on'}; {ALLOW}"
        raise UserError(f"this module was {said}", where=where, todo=todo)
    line = f"{name} was {said}"
    if line not in found:
        found.append(line)
        warnings.warn(f"base mismatch: {line}", BaseMismatchNotice, stacklevel=3)
    return line


def mismatch_lines() -> str:
    """Return Markdown that states the differences at the end of a card; empty without any."""
    return "".join(f"\nBase mismatch: {escaped(line)}.\n" for line in base_mismatches())


@contextmanager
def _within(found: list[str]) -> Iterator[list[str]]:
    token = _found.set(found)
    try:
        yield found
    finally:
        _found.reset(token)
