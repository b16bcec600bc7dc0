from __future__ import annotations

from xadapt.hub.manifest import Evidence
from xadapt.hub.worse_than_base import worse_than_base


def claim(value: float, base: float | None, sides: str | None = None, **more: object) -> Evidence:
    return Evidence(
        task="bitext", data="development split", metric="accuracy to pivot", value=value, base=base,
        sides=sides, rows=40, **more,
    )  # fmt: skip


def test_the_mean_of_the_language_side_decides() -> None:
    claims = [claim(0.2, 0.3, "language"), claim(0.2, 0.2, "language"), claim(0.9, 0.1, "both")]
    said = worse_than_base(claims)
    assert said == (
        "The module is worse than its frozen base on the development split: 0.200 against 0.250 "
        "(mean of 2 measures, 40 rows)"
    )
    assert worse_than_base(claims[1:]) is None
    assert worse_than_base([claim(0.4, 0.3, "language"), claim(0.2, 0.3, "language")]) is None


def test_one_claim_and_no_base() -> None:
    assert "0.100 against 0.300 (accuracy to pivot, 40 rows)" in str(
        worse_than_base([claim(0.1, 0.3)])
    )
    assert worse_than_base([claim(0.1, None)]) is None and worse_than_base([]) is None
