"""Shares of languages by temperature, and how many rows of each that makes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def temperature_shares(counts: Mapping[str, int], temperature: float) -> dict[str, float]:
    """Return the share of each language, in proportion to its rows to the power ``1 / T``.

    At 1 the shares are those of the rows; the higher the temperature, the more equal they are.

    Source: Arivazhagan et al. 2019, https://arxiv.org/abs/1907.05019, section 3.

    Args:
        counts: Number of rows by language; a language without rows has share 0.
        temperature: The temperature, above 0.

    Raises:
        ValueError: If the temperature is not above 0, or there is no row.
    """
    if not temperature > 0:
        raise ValueError("a temperature is above 0")
    if not any(counts.values()):
        raise ValueError("there is no row")
    filled = {name: count for name, count in counts.items() if count}
    logs = np.log(np.array(list(filled.values()), dtype=float)) / temperature
    powers = np.exp(logs - logs.max())
    shares = dict(zip(filled, (powers / powers.sum()).tolist(), strict=True))
    return {name: shares.get(name, 0.0) for name in counts}


def rows_of_shares(shares: Mapping[str, float], total: int) -> dict[str, int]:
    """Return whole numbers of rows that add up to a total, by largest remainders.

    Args:
        shares: Share of each language; they add up to 1.
        total: Number of all rows.
    """
    exact = {name: share * total for name, share in shares.items()}
    made = {name: int(rows + 1e-9) for name, rows in exact.items()}
    left = total - sum(made.values())
    order = sorted(exact, key=lambda name: (made[name] - exact[name], name))
    for name in order[:left]:
        made[name] += 1
    return made
