"""An encoder with a task head for pairs: modules, a composition of them, and scores out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encode import Rows
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.pairs import tokenize_pairs
from xadapt.composition.values import Composition
from xadapt.heads.head import Head, HeadTask
from xadapt.tasks.predict.predictor import Predictor, first_scores


class PairScorer(Predictor):
    """Scores of pairs by a head over the first token's state; made by `load`."""

    task: ClassVar[HeadTask] = "pair_scoring"

    def score(
        self,
        pairs: Sequence[tuple[str, str]],
        languages: Sequence[str | None] | None = None,
        *,
        compositions: Sequence[Composition] | None = None,
        cache: Kept | None = None,
    ) -> NDArray[np.float32]:
        """The score of each pair, in the unit of the data the head was trained on: ``(n,)``.

        Args:
            pairs: Any number of pairs; both texts go through the encoder in one row.
            languages: A tag for each pair, where the composition chooses by language.
            compositions: Another composition for each pair.
            cache: As for `Adapted.encode`.

        Raises:
            UserError: As for `Adapted.encode`.
        """
        rows = self.adapted.acting(len(pairs), languages, compositions, cache)
        return scores(self.adapted.encoder, self.head, pairs, rows)


def scores(
    encoder: Encoder, head: Head, pairs: Sequence[tuple[str, str]], rows: Rows | None = None
) -> NDArray[np.float32]:
    """The score of each pair on the head's scale, ``(n,)``; not cut off at its ends.

    Args:
        encoder: The encoder.
        head: The head.
        pairs: Any number of pairs.
        rows: As for `xadapt.backbones.encoder.encode.encode`.
    """
    assert head.scale is not None
    made = tokenize_pairs(encoder, [left for left, _ in pairs], [right for _, right in pairs])
    ids, second = [pair.ids for pair in made], [pair.second for pair in made]
    found = first_scores(encoder, head, ids, second, rows)[:, 0].numpy()
    low, high = head.scale
    return np.asarray(low + (high - low) * found, dtype=np.float32)
