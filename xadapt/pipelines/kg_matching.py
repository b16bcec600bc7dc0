"""How pairs of two graphs are found and measured, and the names of the views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from xadapt.core.errors import UserError
from xadapt.core.registry import unknown
from xadapt.tasks.kg.alignment import Pool

Pairing = Literal["best", "mutual", "one-to-one"]
PAIRINGS: tuple[Pairing, ...] = get_args(Pairing)
POOLS: tuple[Pool, ...] = get_args(Pool)
NAMES, TEXT, STRUCTURE, ATTRIBUTES, IMAGE = "names", "text", "structure", "attributes", "image"
FUSED = "fused"


@dataclass(frozen=True)
class Matching:
    """How pairs are found and measured.

    Attributes:
        pool: ``all`` aligns all entities; ``test`` those of test links alone.
        csls: Neighbourhood of CSLS; 0 for plain scores.
        pairing: ``best`` gives each left entity its best right ones, ``mutual`` keeps pairs that
            are nearest to each other, ``one-to-one`` gives each right entity to one left entity.
        top: Candidates of a left entity, for ``best``.
        rounds: Rounds of self-training: pairs that are mutual nearest by the sum of the views count
            as linked when the structure is encoded again.
        index: A faiss index, where no view is by spelling.
        memory: Bytes of vectors and scores at a time.
        resamples: Number of bootstrap samples.
        seed: Seed of the bootstrap and of drawing dev links.
    """

    pool: Pool = "all"
    csls: int = 0
    pairing: Pairing = "best"
    top: int = 1
    rounds: int = 0
    index: str | None = None
    memory: int = 2**30
    resamples: int = 1000
    seed: int = 0

    def check(self, has_test: bool, views: Sequence[str]) -> None:
        """Refuse options that are out of range or don't fit together.

        Args:
            has_test: Whether there are test links.
            views: The names of the views.

        Raises:
            UserError: If there is such an option.
        """
        for name, known in (("pairing", PAIRINGS), ("pool", POOLS)):
            if getattr(self, name) not in known:
                raise UserError(unknown(name, str(getattr(self, name)), known), where=f"--{name}")
        for name, least in (("csls", 0), ("top", 1), ("rounds", 0), ("memory", 2**20)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise UserError(f"{value} is below {least}", where=f"--{name}")
        if self.pool == "test" and not has_test:
            raise UserError("there are no test links", where="--pool", todo="Add --links FILE")
        if self.top > 1 and self.pairing != "best":
            raise UserError(f"--top does nothing with --pairing {self.pairing}")
        if self.rounds and STRUCTURE not in views:
            raise UserError("--rounds needs a structure", todo="Add --structure FOLDER")
        if self.index is not None and NAMES in views:
            raise UserError(
                "an index searches vectors, and spelling has none", where="--index",
                todo="Leave out --names or --index",
            )  # fmt: skip
