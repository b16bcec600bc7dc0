"""One pass over the product of two sets, tile by tile.

The product of two sets is made in tiles that fit a processor's cache, in float32 or, with
``half``, in bfloat16, where many processors are several times faster. Each tile only nominates
candidates, with a proven bound on its error; the candidates are then scored exactly (see
`xadapt.vectors.search.sides`). So the answer is the same, ties included, whatever the tiles, the
memory and the data type: the highest scores first, the first of equals first.

The bound on a tile's score of unit vectors x and y, whose rounding to the data type takes d(x) and
d(y) from them (lengths measured for each vector): |d(x)| |y| + (|x| + |d(x)|) |d(y)| for rounding
(Cauchy and Schwarz), n 2**-24 for a float32 sum of n products, and for a result stored in bfloat16
2**-8 of it. In float32 only the second term is left. A product worse than float32 (a float32
matmul precision other than "highest") is noticed where candidates are scored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from xadapt.vectors.search.candidates import Candidates
from xadapt.vectors.search.exact import Neighbours, Pair, settle
from xadapt.vectors.search.sides import Side, spans

TILE = (1024, 4096)
MEMBERS = 64
SMALLEST = 64


@dataclass(frozen=True)
class Options:
    """How to search; none of these changes what is found.

    Attributes:
        half: Make the products in bfloat16. Worth it where the processor is fast at it.
        memory: Bytes for vectors and scores at a time. Candidates and answers come on top: about
            ``56 k + 130`` bytes a query, and as much for each of the pool when it asks too.
        told: Called with the number of tiles done and of all tiles; what it raises ends the search.
    """

    half: bool = False
    memory: int = 2**30
    told: Callable[[int, int], None] | None = None


@dataclass(frozen=True)
class Plan:
    """How much is held at a time: rows of a tile, its columns, queries, and vectors of the pool."""

    rows: int
    columns: int
    queries: int
    pool: int
    held: bool = False
    """All float32 unit vectors fit beside the ones multiplied."""

    @classmethod
    def of(cls, pair: Pair, options: Options) -> Plan:
        """As much as fits, the larger part for the side that is read once."""
        rows, columns = TILE
        while rows * columns * 4 > options.memory // 4 and rows > SMALLEST:
            rows, columns = rows // 2, max(SMALLEST, columns // 2)
        room = max(options.memory - rows * columns * 4, 0) // pair.asking.dim
        queries, pool = len(pair.asking), len(pair.asked)
        if queries + pool <= room // (6 if options.half else 4):
            return cls(rows, columns, queries, pool, held=True)
        room //= 2 if options.half else 4
        if queries + pool > room:
            pool = min(pool, max(room // 4, columns))
            queries = min(queries, max(room - pool, rows))
        return cls(rows, columns, queries, pool)

    def tiles(self, queries: int, pool: int) -> int:
        """How many tiles a product of this size has."""
        down = sum(-(-(stop - start) // self.rows) for start, stop in spans(queries, self.queries))
        return down * sum(-(-(b - a) // self.columns) for a, b in spans(pool, self.pool))


def sweep(pair: Pair, k: int, both: bool, options: Options) -> tuple[Neighbours, Neighbours | None]:
    """The k best of the asked for each of the asking, and with ``both`` the reverse.

    Raises:
        InexactError: A product missed the bound.
    """
    plan, dtype = Plan.of(pair, options), torch.bfloat16 if options.half else torch.float32
    pair = pair.held() if plan.held else pair
    left, right = pair.asking, pair.asked
    lost = left.lost(dtype), right.lost(dtype)
    back = _candidates(k, left, lost[1], lost[0], dtype) if both else None
    tiles = _Tiles(pair, plan, dtype, options.told)
    found = []
    for start, stop in spans(len(left), plan.queries):
        forward = _candidates(k, right, lost[0][start:stop], lost[1], dtype)
        tiles.run((start, stop), forward, back)
        found.append(settle(pair, start, forward))
    return Neighbours.of(found), Neighbours.of([settle(pair.swapped(), 0, back)]) if back else None


def error_bound(own: Tensor, others: Tensor, dim: int) -> Tensor:
    """How far a tile's score can be from the exact cosine, each row's, ``(rows,)``.

    Args:
        own: What rounding takes from each row's vector, ``(rows,)``.
        others: What it takes from the vectors of the other side.
        dim: Numbers in a vector.
    """
    length = 1 + (1 + dim**0.5) * 2.0**-24  # of a unit vector, itself rounded
    most = float(others.max())
    rounding = own * length + (length + own) * most
    adding = 1.01 * (dim + 2) * 2.0**-24 * (length + own) * (length + most)
    return rounding + adding + 2.0**-20  # the last: float32 means of CSLS, and this arithmetic


def _candidates(k: int, asked: Side, own: Tensor, others: Tensor, dtype: torch.dtype) -> Candidates:
    relative = 0.0 if dtype == torch.float32 else 2.0**-8
    return Candidates(min(k, len(asked)), error_bound(own, others, asked.dim), relative)


class _Tiles:
    """Makes tiles of the product and shows them to the candidates of either side."""

    def __init__(
        self, pair: Pair, plan: Plan, dtype: torch.dtype, told: Callable[[int, int], None] | None
    ) -> None:
        self.pair, self.plan, self.dtype, self.told = pair, plan, dtype, told
        self.done, self.total = 0, plan.tiles(len(pair.asking), len(pair.asked))
        self._kept: tuple[tuple[int, int], Tensor] | None = None
        size = plan.rows * plan.columns
        self._buffer = torch.empty(size, dtype=dtype, device=pair.asking.device)
        means = pair.half_means
        self._means = None if means is None else (means[0].float(), means[1].float())

    def run(self, queries: tuple[int, int], forward: Candidates, back: Candidates | None) -> None:
        """Every tile of a span of queries."""
        units = self.pair.asking.units(*queries, self.dtype)
        for pool in spans(len(self.pair.asked), self.plan.pool):
            others = self._pool(pool)
            for a, b in spans(len(units), self.plan.rows):
                for c, d in spans(len(others), self.plan.columns):
                    row, column = queries[0] + a, pool[0] + c
                    tile = self._tile(units[a:b], others[c:d], row, column)
                    _show(tile, forward, back, (a, b - a, row), (column, d - c))
                    self.done += 1
                    if self.told:
                        self.told(self.done, self.total)

    def _pool(self, span: tuple[int, int]) -> Tensor:
        if self._kept is None or self._kept[0] != span:
            self._kept = None
            self._kept = span, self.pair.asked.units(*span, self.dtype)
        return self._kept[1]

    def _tile(self, left: Tensor, right: Tensor, row: int, column: int) -> Tensor:
        shape = len(left), len(right)
        tile = self._buffer[: shape[0] * shape[1]].view(shape)
        torch.mm(left, right.T, out=tile)
        if self._means is not None:
            tile = tile.float()  # bfloat16 would round the difference
            tile -= self._means[0][row : row + shape[0], None]
            tile -= self._means[1][column : column + shape[1]]
        down, across = -shape[0] % SMALLEST, -shape[1] % SMALLEST
        return pad(tile, (0, across, 0, down), value=-torch.inf) if down or across else tile


def _show(
    tile: Tensor,
    forward: Candidates,
    back: Candidates | None,
    rows: tuple[int, int, int],
    columns: tuple[int, int],
) -> None:
    """Group a tile both ways: members far apart, since alike vectors often stand side by side."""
    start, down, row = rows
    column, across = columns
    height, width = tile.shape
    size = _members(width, forward.k)
    groups = tile.view(height, size, width // size)[:down]
    forward.feed(start, groups, groups.amax(dim=1), column)
    if back is not None:
        size = _members(height, back.k)
        standing = tile.view(size, height // size, width)
        highest = standing.amax(dim=0).T[:across]
        back.feed(column, standing.permute(2, 0, 1)[:across], highest, row)


def _members(width: int, k: int) -> int:
    """Of a group, so that there are more groups than are wanted."""
    size = MEMBERS
    while size > 1 and width // size < max(2 * k, SMALLEST):
        size //= 2
    return size
