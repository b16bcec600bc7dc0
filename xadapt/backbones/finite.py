"""A check that the outputs of a forward are finite, and an error that names the module."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from xadapt.core.errors import UserError

CAUSE = "A module holds values that are too large, or it is weighed by too large a number"


class NotFiniteError(UserError):
    """Error for vectors, states or scores that contain an infinity or a NaN.

    Args:
        kind: The kind of values, such as ``vectors``.
        rows: Positions of the rows with such values, from 0.
        where: The name of the module or adapter that acted on the rows.
    """

    def __init__(self, kind: str, rows: Sequence[int], *, where: str = "") -> None:
        self.kind, self.rows = kind, sorted(set(rows))
        more = f" and {len(self.rows) - 1} more" if len(self.rows) > 1 else ""
        what = f"the {kind} of row {self.rows[0] + 1}{more} are not finite"
        super().__init__(what, where=where, todo=CAUSE)


def require_finite(values: Tensor, rows: Sequence[int], what: str = "vectors") -> None:
    """Raise an error if some values are not finite.

    Args:
        values: One row of any shape for each of ``rows``.
        rows: Positions of the rows among all rows of the input.
        what: The kind of values, for the error message.

    Raises:
        NotFiniteError: If a row has a value that is not finite.
    """
    if not values.numel():
        return
    low, high = values.detach().flatten(1).aminmax(dim=1)  # both are NaN where a value is
    fine = (low.isfinite() & high.isfinite()).tolist()
    wrong = [row for row, good in zip(rows, fine, strict=True) if not good]
    if wrong:
        raise NotFiniteError(what, wrong)


def require_finite_states(states: Tensor, rows: Sequence[int], lengths: Sequence[int]) -> None:
    """Raise an error if states of real tokens are not finite; padding is ignored.

    Args:
        states: ``(rows, tokens, width)``; a row's real tokens come first.
        rows: As for `require_finite`.
        lengths: Number of real tokens of each row.

    Raises:
        NotFiniteError: If a real token has a value that is not finite.
    """
    low, high = states.detach().aminmax(dim=-1)
    count = torch.tensor(list(lengths), device=states.device).unsqueeze(1)
    real = torch.arange(states.shape[1], device=states.device) < count
    require_finite(torch.stack([low, high]).masked_fill(~real, 0.0).movedim(0, 1), rows, "states")


@contextmanager
def naming(name: str | Callable[[list[int]], str]) -> Iterator[None]:
    """Add the name of the acting module to a `NotFiniteError` from the block.

    Args:
        name: The name, or a function from the positions of the affected rows to the name. A name
            from an inner block stays.

    Raises:
        NotFiniteError: If the block raises one.
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
    """Map the positions in a `NotFiniteError` from the block to the rows they are parts of.

    Args:
        owners: For each position in the block, the position outside.

    Raises:
        NotFiniteError: If the block raises one.
    """
    try:
        yield
    except NotFiniteError as error:
        rows = [owners[row] for row in error.rows]
        raise NotFiniteError(error.kind, rows, where=error.where) from None
