"""Show results: a short text, an HTML table in notebooks, a data frame and a picture.

A class of results inherits `Displayed` and says in ``_table`` which cells it has. The text, the
HTML, the data frame and the picture are made from this table, for all classes alike.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from xadapt.core.errors import UserError, missing_extra
from xadapt.core.registry import unknown
from xadapt.report.table import Bar, Table, as_html, as_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame


class Displayed:
    """A result that shows itself. A subclass gives ``_table``; it may give the other parts.

    A dataclass that inherits this is made with ``repr=False``.
    """

    @abstractmethod
    def _table(self) -> Table:
        """Return the cells that people see."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return the values for JSON."""

    def _records(self) -> Any:
        """Return one flat mapping for each row of the data frame, or a column for each name."""
        table = self._table()
        return [dict(zip(table.columns, row, strict=True)) for row in table.rows]

    def _bars(self) -> list[Bar]:
        """Return the values of the picture."""
        return []

    def _draw(self, axes: Axes) -> None:
        """Draw the picture."""
        from xadapt.report.plots import draw_bars

        bars = self._bars()
        if not bars:
            raise UserError(f"{type(self).__name__} has no numbers to draw")
        draw_bars(axes, bars)

    def to_pandas(self) -> DataFrame:
        """Return the values as a data frame, one row for each measured value.

        Raises:
            UserError: If pandas is not installed.
        """
        try:
            from pandas import DataFrame
        except ImportError:
            raise missing_extra("pandas", "data") from None
        return DataFrame(self._records())

    def plot(self, axes: Axes | None = None) -> Axes:
        """Draw the values with their intervals.

        Args:
            axes: Axes of matplotlib to draw on. Without them, a new figure of pyplot is made, which
                notebooks show by themselves.

        Returns:
            The axes; ``axes.figure.savefig("result.svg")`` saves the picture.

        Raises:
            UserError: If the result has no numbers.
        """
        from xadapt.report.plots import height, on_axes

        return on_axes(self._draw, axes, height(len(self._bars())))

    def __repr__(self) -> str:
        return as_text(self._table())

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        return as_html(self._table())


class Listing(Displayed, Sequence[str]):
    """Names with descriptions: a sequence of the names that shows itself as a table.

    ``"lora" in listing``, ``listing[0]``, ``len(listing)`` and iteration work on the names.
    ``listing["lora"]`` gives all that is known of one name.

    Args:
        kind: What the names are, in the plural, such as ``modules``.
        entries: One mapping a name, all with the same keys. ``name`` and ``description`` are among
            the keys.
        hidden: Keys that the table leaves out, for the width; data frame and dictionary have them.
    """

    def __init__(
        self, kind: str, entries: Sequence[dict[str, str]], hidden: Sequence[str] = ()
    ) -> None:
        self.kind, self._entries, self._hidden = kind, tuple(entries), frozenset(hidden)

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, key: Any) -> Any:
        """Return the name at a place, names of a slice, or the entry of a name.

        Raises:
            UserError: If there is no such name. The message suggests the nearest name.
        """
        names = [entry["name"] for entry in self._entries]
        if not isinstance(key, str):
            return names[key]
        if key not in names:
            raise UserError(unknown(self.kind.removesuffix("s"), key, names))
        return dict(self._entries[names.index(key)])

    def __iter__(self) -> Iterator[str]:
        return (entry["name"] for entry in self._entries)

    def __contains__(self, name: object) -> bool:
        return any(name == entry["name"] for entry in self._entries)

    def to_dict(self) -> dict[str, Any]:
        """Return the entries for JSON, under the kind of the names."""
        return {self.kind: self._records()}

    def _records(self) -> list[dict[str, Any]]:
        return [dict(entry) for entry in self._entries]

    def _table(self) -> Table:
        keys = tuple(k for k in (self._entries or ({},))[0] if k not in self._hidden)
        rows = tuple(tuple(entry[key] for key in keys) for entry in self._entries)
        return Table(keys, rows, f"{len(self)} {self.kind}")
