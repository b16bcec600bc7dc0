"""Split links by connected component: no entity of one part is linked to one of another."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError
from xadapt.data.graphs.components import components
from xadapt.data.graphs.graph import PARTS
from xadapt.data.graphs.links import Links

PERCENT = re.compile(r"[0-9]{1,3}(\.[0-9]{1,6})?")


def parse_shares(text: str) -> tuple[float, float, float]:
    """Read shares of train, dev and test, such as ``30/10/60`` or ``30/0/70``.

    Raises:
        UserError: If the text has another form, or the shares don't sum to 100.
    """
    parts = text.split("/")
    numbers = [float(part) for part in parts if PERCENT.fullmatch(part)]
    if len(parts) != 3 or len(numbers) != 3 or abs(sum(numbers) - 100) > 1e-6:
        raise UserError(
            f"{text[:40]!r} is no split",
            where="--split",
            todo="Write the percent of train, dev and test, such as 30/10/60",
        )
    return numbers[0] / 100, numbers[1] / 100, numbers[2] / 100


def split_links(links: Links, shares: Sequence[float], seed: int = 0) -> Links:
    """Give each link a part, such that no connected component of links is in two parts.

    Components are taken in the order of a hash of the seed and of their smallest id. The part of
    each is drawn in proportion to the links that the parts still lack. If a part gets none, as with
    few components, each goes to the part that has the smallest share of its links. So the parts
    depend on the seed and on the links, not on the order of the links.

    Args:
        links: The links; their own parts are not used.
        shares: The shares of train, dev and test, which sum to 1.
        seed: Seed of the order.

    Returns:
        The same links, in the same order.

    Raises:
        UserError: If a part that should have links gets none.
    """
    entities = {e: i for i, e in enumerate(sorted(links.entities()))}
    number = components(entities, links.pairs)
    of_link = [int(number[entities[left]]) for left, _ in links.pairs]
    smallest: dict[int, str] = {}
    for entity, i in entities.items():
        smallest.setdefault(int(number[i]), entity)
    sizes = np.bincount(of_link, minlength=len(smallest))

    def order(component: int) -> bytes:
        return hashlib.sha256(f"{seed}\t{smallest[component]}".encode()).digest()

    wanted = np.array(shares, dtype=float) * len(links)
    ordered = sorted(smallest, key=order)
    in_order = sizes[ordered]
    parts = _drawn(in_order, wanted, seed)
    if not np.isin(np.flatnonzero(wanted), parts).all():
        parts = _even(in_order, wanted)
    part_of = np.zeros(len(smallest), dtype=np.int8)
    part_of[ordered] = parts
    made = replace(links, parts=part_of[of_link], split=True)
    for name, count in made.counts().items():
        if wanted[PARTS.index(name)] > 0 and not count:  # type: ignore[arg-type]
            raise UserError(
                f"the links can't be split: {name} gets none",
                where=links.name,
                todo=f"There are {len(links)} links in {len(smallest)} groups; give other shares",
            )
    return made


def _drawn(sizes: NDArray[np.int64], wanted: NDArray[np.float64], seed: int) -> NDArray[np.int8]:
    """Draw the part of each component in proportion to what the parts lack."""
    missing = wanted.copy()
    draws = np.random.default_rng(seed)
    found = np.zeros(len(sizes), dtype=np.int8)
    for i, size in enumerate(sizes.tolist()):
        left = np.maximum(missing, 0)
        weights = left if left.any() else (wanted > 0).astype(float)
        part = int(draws.choice(3, p=weights / weights.sum()))
        found[i] = part
        missing[part] -= size
    return found


def _even(sizes: NDArray[np.int64], wanted: NDArray[np.float64]) -> NDArray[np.int8]:
    """Give each component to the part that has the smallest share of what it wants."""
    has = np.zeros(3)
    found = np.zeros(len(sizes), dtype=np.int8)
    for i, size in enumerate(sizes.tolist()):
        filled = np.divide(has, wanted, out=np.full(3, np.inf), where=wanted > 0)
        found[i] = int(filled.argmin())
        has[found[i]] += size
    return found


def crossing(links: Links) -> dict[str, int]:
    """Count the links of dev and test that share a component with a link of an earlier part.

    A split by connected component has none.
    """
    entities = {e: i for i, e in enumerate(sorted(links.entities()))}
    number = components(entities, links.pairs)
    of_link = np.array([number[entities[left]] for left, _ in links.pairs], dtype=np.int64)
    first = np.full(int(number.max(initial=-1)) + 1, 9, dtype=np.int64)
    np.minimum.at(first, of_link, links.parts.astype(np.int64))
    own = links.parts > first[of_link]
    return {part: int((own & (links.parts == i)).sum()) for i, part in enumerate(PARTS) if i}
