"""Search in one pass over the product of two sets, tile by tile.

The product of two sets is made in tiles that fit a processor's cache. The tiles are in float32 or,
with ``half``, in bfloat16, where many processors are several times faster. Each tile only nominates
candidates, with a proven bound on its error. The candidates are then scored exactly (see
`xadapt.vectors.search.sides`). So the answer is the same, ties included, for any tiles, memory and
data type: the highest scores first, the first of equals first.

Let d(x) and d(y) be the rounding errors of unit vectors x and y in the data type. Their lengths are
measured for each vector. The bound on a tile's score is the sum of three terms:
|d(x)| |y| + (|x| + |d(x)|) |d(y)| for rounding (Cauchy and Schwarz), n 2**-24 for a float32 sum of
n products, and 2**-8 of the result for a result stored in bfloat16. In float32 only the second term
is left. A product worse than float32 (a float32 matmul precision other than "highest") is detected
when candidates are scored.
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
    """Options of a search. They do not change the result.

    Attributes:
        half: Make the products in bfloat16. This helps if the processor is fast at bfloat16.
        memory: Bytes for vectors and scores at a time. Candidates and answers need more: about
            ``56 k + 130`` bytes per query, and as much per pool vector in a search both ways.
        progress: Called with the number of tiles done and of all tiles. An exception from this
            function ends the search.
    """

    half: bool = False
    memory: int = 2**30
    progress: Callable[[int, int], None] | None = None


@dataclass(frozen=True)
class Plan:
    """The sizes in memory: rows and columns of a tile, queries, and vectors of the pool."""

    rows: int
    columns: int
    queries: int
    pool: int
    held: bool = False
    """Whether all float32 unit vectors fit in memory with the multiplied vectors."""

    @classmethod
    def of(cls, pair: Pair, options: Options) -> Plan:
        """Plan the largest sizes that fit, with the larger part for the side that is read once."""
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
        """Return the number of tiles of a product of this size."""
        down = sum(-(-(stop - start) // self.rows) for start, stop in spans(queries, self.queries))
        return down * sum(-(-(b - a) // self.columns) for a, b in spans(pool, self.pool))


def sweep(pair: Pair, k: int, both: bool, options: Options) -> tuple[Neighbours, Neighbours | None]:
    """Find the k best of the pool for each query, and with ``both`` the reverse.

    Raises:
        InexactError: If the error of a product is above the bound.
    """
    plan, dtype = Plan.of(pair, options), torch.bfloat16 if options.half else torch.float32
    pair = pair.held() if plan.held else pair
    left, right = pair.asking, pair.asked
    lost = left.lost(dtype), right.lost(dtype)
    back = _candidates(k, left, lost[1], lost[0], dtype) if both else None
    tiles = _Tiles(pair, plan, dtype, options.progress)
    found = []
    for start, stop in spans(len(left), plan.queries):
        forward = _candidates(k, right, lost[0][start:stop], lost[1], dtype)
        tiles.run((start, stop), forward, back)
        found.append(settle(pair, start, forward))
    return Neighbours.of(found), Neighbours.of([settle(pair.swapped(), 0, back)]) if back else None


def error_bound(own: Tensor, others: Tensor, dim: int) -> Tensor:
    """Compute the error bound of a tile's scores from the exact cosines, ``(rows,)``.

    Args:
        own: Norm of the rounding error of each row's vector, ``(rows,)``.
        others: Norms of the rounding errors of the vectors of the other side.
        dim: Number of dimensions.
    """
    length = 1 + (1 + dim**0.5) * 2.0**-24  # of a rounded unit vector
    most = float(others.max())
    rounding = own * length + (length + own) * most
    adding = 1.01 * (dim + 2) * 2.0**-24 * (length + own) * (length + most)
    return rounding + adding + 2.0**-20  # last term: float32 CSLS means, rounding here


def _candidates(k: int, asked: Side, own: Tensor, others: Tensor, dtype: torch.dtype) -> Candidates:
    relative = 0.0 if dtype == torch.float32 else 2.0**-8
    return Candidates(min(k, len(asked)), error_bound(own, others, asked.dim), relative)


class _Tiles:
    """The tiles of the product, which are fed to the candidates of either side."""

    def __init__(
        self,
        pair: Pair,
        plan: Plan,
        dtype: torch.dtype,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.pair, self.plan, self.dtype, self.progress = pair, plan, dtype, progress
        self.done, self.total = 0, plan.tiles(len(pair.asking), len(pair.asked))
        self._kept: tuple[tuple[int, int], Tensor] | None = None
        size = plan.rows * plan.columns
        self._buffer = torch.empty(size, dtype=dtype, device=pair.asking.device)
        means = pair.half_means
        self._means = None if means is None else (means[0].float(), means[1].float())

    def run(self, queries: tuple[int, int], forward: Candidates, back: Candidates | None) -> None:
        """Compute every tile of a span of queries."""
        units = self.pair.asking.units(*queries, self.dtype)
        for pool in spans(len(self.pair.asked), self.plan.pool):
            others = self._pool(pool)
            for a, b in spans(len(units), self.plan.rows):
                for c, d in spans(len(others), self.plan.columns):
                    row, column = queries[0] + a, pool[0] + c
                    tile = self._tile(units[a:b], others[c:d], row, column)
                    _show(tile, forward, back, (a, b - a, row), (column, d - c))
                    self.done += 1
                    if self.progress:
                        self.progress(self.done, self.total)

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
    """Feed a tile to both candidates in groups.

    Members of a group are far apart, since similar vectors are often neighbours in a file.
    """
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
    """Return the number of members of a group, so that there are more groups than neighbours."""
    size = MEMBERS
    while size > 1 and width // size < max(2 * k, SMALLEST):
        size //= 2
    return size
