"""Which rows of a batch a module acts on, and attention that must see unlike rows apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

ALL = slice(None)
Rows = slice | Tensor | None


class HasRows(Protocol):
    """An attachment: it acts on all rows (`ALL`), on those named, or on none (``None``).

    While an attention sees some rows of the batch apart, ``group`` says which.
    """

    rows: Rows
    group: Tensor | None


_JOINED: WeakKeyDictionary[nn.Module, list[HasRows]] = WeakKeyDictionary()
_SPLIT: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()


def join(model: nn.Module, attachment: HasRows) -> Callable[[], None]:
    """Note that an attachment acts on a model; the result takes the note back."""
    attached = _JOINED.setdefault(model, [])
    attached.append(attachment)
    return lambda: attached.remove(attachment)


def split_by_rows(model: nn.Module, attention: nn.Module) -> Callable[[], None]:
    """Run an attention apart for rows with different modules; the result undoes it.

    DeBERTa projects its relative positions through the same linears as the states, once for all
    rows. A module on these linears changes the positions too, differently in different rows.

    Args:
        model: The model the attention is part of.
        attention: Called as ``(states, mask, ...)``, rows first in both.
    """
    if not _SPLIT.get(attention):
        attention.forward = _apart(_JOINED.setdefault(model, []), attention.forward)
    _SPLIT[attention] = _SPLIT.get(attention, 0) + 1

    def undo() -> None:
        _SPLIT[attention] -= 1
        if not _SPLIT[attention]:
            del attention.forward

    return undo


def _apart(attached: list[HasRows], whole: Callable[..., Any]) -> Callable[..., Any]:
    def forward(states: Tensor, mask: Tensor, *args: Any, **kwargs: Any) -> Any:
        groups = _groups(attached, states)
        if not groups:
            return whole(states, mask, *args, **kwargs)
        parts = []
        for rows in groups:
            with _narrowed(attached, rows):
                parts.append(whole(states[rows], mask[rows], *args, **kwargs))
        order = torch.cat(groups).argsort()
        if isinstance(parts[0], Tensor):
            return torch.cat(parts)[order]
        return tuple(
            None if column[0] is None else torch.cat(column)[order]
            for column in zip(*parts, strict=True)
        )

    return forward


def _groups(attached: list[HasRows], states: Tensor) -> list[Tensor]:
    """Positions of rows with the same modules; empty where all rows have the same."""
    partial = [a.rows for a in attached if isinstance(a.rows, Tensor)]
    code = torch.zeros(len(states), dtype=torch.long, device=states.device)
    for rows in partial:
        code = code * 2
        code[rows] += 1
    return [(code == c).nonzero().flatten() for c in code.unique()] if partial else []


@contextmanager
def _narrowed(attached: list[HasRows], rows: Tensor) -> Iterator[None]:
    """See a group of like rows as the whole batch."""
    before = [a.rows for a in attached]
    for attachment in attached:
        attachment.group = rows
        if isinstance(attachment.rows, Tensor):
            attachment.rows = ALL if bool(torch.isin(rows[0], attachment.rows)) else None
    try:
        yield
    finally:
        for attachment, was in zip(attached, before, strict=True):
            attachment.rows, attachment.group = was, None
