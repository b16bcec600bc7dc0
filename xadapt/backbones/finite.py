"""A check that what a forward gives is finite, and an error that names what acted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from xadapt.core.errors import UserError

CAUSE = "A module holds values that are too large, or it is weighed by too large a number"


class NotFiniteError(UserError):
    """Vectors, states or scores hold an infinity or are no numbers.

    Args:
        kind: What the values are, such as ``vectors``.
        rows: Positions of the rows that do, from 0.
        where: What acted on them.
    """

    def __init__(self, kind: str, rows: Sequence[int], *, where: str = "") -> None:
        self.kind, self.rows = kind, sorted(set(rows))
        more = f" and {len(self.rows) - 1} more" if len(self.rows) > 1 else ""
        what = f"the {kind} of row {self.rows[0] + 1}{more} are not finite"
        super().__init__(what, where=where, todo=CAUSE)


def require_finite(values: Tensor, rows: Sequence[int], what: str = "vectors") -> None:
    """Refuse values of which some are not finite.

    Args:
        values: One row of any shape for each of ``rows``.
        rows: Positions of the rows among all that are read.
        what: What the values are, for the fault.

    Raises:
        NotFiniteError: If a row has such a value.
    """
    if not values.numel():
        return
    low, high = values.detach().flatten(1).aminmax(dim=1)  # both are NaN where a value is
    fine = (low.isfinite() & high.isfinite()).tolist()
    wrong = [row for row, good in zip(rows, fine, strict=True) if not good]
    if wrong:
        raise NotFiniteError(what, wrong)


def require_finite_states(states: Tensor, rows: Sequence[int], lengths: Sequence[int]) -> None:
    """Refuse states of which some of a real token are not finite.

    Args:
        states: ``(rows, tokens, width)``; a row's real tokens come first.
        rows: As for `require_finite`.
        lengths: Real tokens of each row.

    Raises:
        NotFiniteError: As for `require_finite`.
    """
    low, high = states.detach().aminmax(dim=-1)
    count = torch.tensor(list(lengths), device=states.device).unsqueeze(1)
    real = torch.arange(states.shape[1], device=states.device) < count
    require_finite(torch.stack([low, high]).masked_fill(~real, 0.0).movedim(0, 1), rows, "states")


@contextmanager
def naming(name: str | Callable[[list[int]], str]) -> Iterator[None]:
    """Say what acted where values that come out of the block are not finite.

    Args:
        name: Its name, or what gives the name for the positions of the rows concerned. A name that
            was given further inside stays.
    """
    try:
        yield
    except NotFiniteError as error:
        if error.where:
            raise
        where = name if isinstance(name, str) else name(error.rows)
        raise NotFiniteError(error.kind, error.rows, where=where) from None


@contextmanager
def by_owner(owners: Sequence[int]) -> Iterator[None]:
    """Name, where values are not finite, the rows that the positions in the block are parts of.

    Args:
        owners: By position in the block, the position outside.
    """
    try:
        yield
    except NotFiniteError as error:
        rows = [owners[row] for row in error.rows]
        raise NotFiniteError(error.kind, rows, where=error.where) from None
