from __future__ import annotations

import numpy as np
import pytest

from xadapt.core.errors import UserError
from xadapt.data.graphs.links import make_links, united_links
from xadapt.data.graphs.split import crossing, parse_shares, split_links

PAIRS = [(f"l{i // 2}", f"r{i}") for i in range(200)] + [("l0", "r150")]


def of(links, part):
    return set(links.of(part).pairs)


def test_no_component_is_in_two_parts_and_shares_are_kept():
    for seed in range(5):
        links = split_links(make_links("l", PAIRS), (0.3, 0.1, 0.6), seed)
        assert links.pairs == tuple(PAIRS) and links.split
        sides = [links.of(part).entities() for part in ("train", "dev", "test")]
        assert not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]
        counts = links.counts()
        assert abs(counts["train"] - 60) < 6 and abs(counts["dev"] - 20) < 6
        assert crossing(links) == {"dev": 0, "test": 0}


def test_a_split_by_rows_crosses():
    links = make_links("l", PAIRS)
    draws = np.random.default_rng(0).integers(0, 3, len(PAIRS))
    mixed = united_links(
        "l",
        [
            make_links("l", [p for p, own in zip(PAIRS, draws, strict=True) if own == n], part)
            for n, part in enumerate(("train", "dev", "test"))
        ],
    )
    assert sum(crossing(mixed).values()) > 20 and sum(crossing(links).values()) == 0


def test_the_seed_decides_and_the_order_of_links_does_not():
    one, again = (split_links(make_links("l", PAIRS), (0.3, 0.1, 0.6), 3) for _ in range(2))
    assert one.sha256 == again.sha256
    other = split_links(make_links("l", PAIRS), (0.3, 0.1, 0.6), 4)
    assert of(one, "test") != of(other, "test")
    mixed = split_links(make_links("l", PAIRS[::-1]), (0.3, 0.1, 0.6), 3)
    assert all(of(one, part) == of(mixed, part) for part in ("train", "dev", "test"))


def test_a_part_without_a_share_gets_nothing():
    links = split_links(make_links("l", PAIRS), (0.3, 0, 0.7))
    assert links.counts()["dev"] == 0
    with pytest.raises(UserError, match="can't be split"):
        split_links(make_links("l", [("a", "x"), ("a", "y")]), (0.3, 0.1, 0.6))


def test_shares():
    assert parse_shares("30/10/60") == (0.3, 0.1, 0.6) and parse_shares("30/0/70")[1] == 0
    for wrong in (
        "30/70",
        "30/10/50",
        "a/b/c",
        "-10/50/60",
        "nan/50/50",
        "",
        "1e2/0/0",
        "٣٠/10/60",
    ):
        with pytest.raises(UserError, match="is no split"):
            parse_shares(wrong)
