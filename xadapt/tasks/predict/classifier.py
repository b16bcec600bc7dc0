"""An encoder with a task head for texts: modules, a composition of them, and classes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encode import Rows
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.composition.values import Composition
from xadapt.heads.head import Head, HeadTask
from xadapt.tasks.predict.predictor import Predictor, first_scores


class Classifier(Predictor):
    """Classes of texts by a head over the first token's state; made by `load`."""

    task: ClassVar[HeadTask] = "classification"

    def classify(
        self,
        texts: Sequence[str],
        languages: Sequence[str | None] | None = None,
        *,
        compositions: Sequence[Composition] | None = None,
        cache: Kept | None = None,
    ) -> list[str]:
        """The class of each text.

        Args:
            texts: Any number of texts.
            languages: A tag for each text, where the composition chooses by language.
            compositions: Another composition for each text.
            cache: As for `Adapted.encode`.

        Raises:
            UserError: As for `Adapted.encode`.
        """
        rows = self.adapted.acting(len(texts), languages, compositions, cache)
        return classes(self.adapted.encoder, self.head, texts, rows)


def classes(
    encoder: Encoder, head: Head, texts: Sequence[str], rows: Rows | None = None
) -> list[str]:
    """The class of each text, the most probable one.

    Args:
        encoder: The encoder.
        head: The head.
        texts: Any number of texts.
        rows: As for `xadapt.backbones.encoder.encode.encode`.
    """
    found = first_scores(encoder, head, encoder.tokenize(texts), rows=rows)
    return [head.labels[number] for number in found.argmax(1).tolist()]
