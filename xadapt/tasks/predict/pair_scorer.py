"""An encoder with a task head for pairs: modules, a composition of them, and scores out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from xadapt.backbones.encoder.encode import Rows
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.pairs import tokenize_pairs
from xadapt.composition.values import Composition
from xadapt.core.sequences import as_pairs
from xadapt.heads.head import Head, HeadTask
from xadapt.tasks.predict.predictor import Predictor, first_scores


class PairScorer(Predictor):
    """Scores of pairs by a head over the first token's state; made by `load`."""

    task: ClassVar[HeadTask] = "pair_scoring"

    def score(
        self,
        pairs: Sequence[tuple[str, str]],
        languages: str | Sequence[str | None] | None = None,
        *,
        compositions: Composition | Sequence[Composition] = None,
    ) -> NDArray[np.float32]:
        """The score of each pair, in the unit of the data the head was trained on: ``(n,)``.

        Args:
            pairs: Any number of pairs; both texts go through the encoder in one row.
            languages: A tag for each pair, or one for all, where the composition chooses by
                language.
            compositions: Another composition for each pair, or one for all.

        Raises:
            UserError: As for `Adapted.encode`, or if one of them is no such thing.
        """
        pairs = as_pairs(pairs, "pair", "(left, right)")
        with self.adapted.acting(len(pairs), languages, compositions) as rows:
            return scores(self.adapted.encoder, self.head, pairs, rows)


def scores(
    encoder: Encoder, head: Head, pairs: Sequence[tuple[str, str]], rows: Rows | None = None
) -> NDArray[np.float32]:
    """The score of each pair on the head's scale, ``(n,)``; not cut off at its ends.

    Args:
        encoder: The encoder; modules that are on act.
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
