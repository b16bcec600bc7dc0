"""An encoder with a task head for texts: modules, a composition of them, and classes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, overload

from xadapt.backbones.encoder.encode import Rows
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.composition.values import Composition
from xadapt.core.sequences import as_texts
from xadapt.heads.head import Head, HeadTask
from xadapt.tasks.predict.predictor import Predictor, first_scores


class Classifier(Predictor):
    """Classes of texts by a head over the first token's state; made by `load`."""

    task: ClassVar[HeadTask] = "classification"

    @overload
    def classify(  # type: ignore[overload-overlap]
        self,
        texts: str,
        languages: str | Sequence[str | None] | None = None,
        *,
        compositions: Composition | Sequence[Composition] = None,
    ) -> str: ...

    @overload
    def classify(
        self,
        texts: Sequence[str],
        languages: str | Sequence[str | None] | None = None,
        *,
        compositions: Composition | Sequence[Composition] = None,
    ) -> list[str]: ...

    def classify(
        self,
        texts: str | Sequence[str],
        languages: str | Sequence[str | None] | None = None,
        *,
        compositions: Composition | Sequence[Composition] = None,
    ) -> str | list[str]:
        """The class of each text.

        Args:
            texts: Any number of texts, or one.
            languages: A tag for each text, or one for all, where the composition chooses by
                language.
            compositions: Another composition for each text, or one for all.

        Returns:
            A class for each text; the class alone for one text that is given as a string.

        Raises:
            UserError: As for `Adapted.encode`.
        """
        given = as_texts([texts] if isinstance(texts, str) else texts)
        with self.adapted.acting(len(given), languages, compositions) as rows:
            found = classes(self.adapted.encoder, self.head, given, rows)
        return found[0] if isinstance(texts, str) else found


def classes(
    encoder: Encoder, head: Head, texts: Sequence[str], rows: Rows | None = None
) -> list[str]:
    """The class of each text, the most probable one.

    Args:
        encoder: The encoder; modules that are on act.
        head: The head.
        texts: Any number of texts.
        rows: As for `xadapt.backbones.encoder.encode.encode`.
    """
    found = first_scores(encoder, head, encoder.tokenize(texts), rows=rows)
    return [head.labels[number] for number in found.argmax(1).tolist()]
