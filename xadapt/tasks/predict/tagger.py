"""An encoder with a task head for words: modules, a composition of them, and labels out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from xadapt.backbones.encoder.encode import Rows, token_states
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.words import tokenize_words
from xadapt.composition.values import Composition
from xadapt.core.sequences import as_sentences
from xadapt.functional.tag_scheme import OUTSIDE, decode
from xadapt.heads.head import Head, HeadTask
from xadapt.tasks.predict.predictor import Predictor


class Tagger(Predictor):
    """Labels of words by a head over the first token of each; made by `load`."""

    task: ClassVar[HeadTask] = "tagging"

    def tag(
        self,
        sentences: Sequence[Sequence[str]],
        languages: str | Sequence[str | None] | None = None,
        *,
        compositions: Composition | Sequence[Composition] = None,
    ) -> list[list[str]]:
        """One label a word: the best sequence that the head's scheme allows.

        Args:
            sentences: Sentences as words.
            languages: A tag for each sentence, or one for all, where the composition chooses by
                language.
            compositions: Another composition for each sentence, or one for all.

        Raises:
            UserError: As for `Adapted.encode`, or if one of them is no such thing.
        """
        sentences = as_sentences(sentences)
        with self.adapted.acting(len(sentences), languages, compositions) as rows:
            found = scores(self.adapted.encoder, self.head, sentences, rows)
        return [decode(each, self.head.labels, self.head.scheme) for each in found]


def scores(
    encoder: Encoder, head: nn.Module, sentences: Sequence[Sequence[str]], rows: Rows | None = None
) -> list[NDArray[np.float32]]:
    """Log-probabilities of each word's labels, ``(words, labels)`` a sentence.

    A word that was cut off for the base's length is outside of all spans.

    Args:
        encoder: The encoder; modules that are on act.
        head: The head.
        sentences: Sentences as words.
        rows: As for `xadapt.backbones.encoder.encode.encode`.
    """
    assert isinstance(head, Head)
    tokenised = tokenize_words(encoder, sentences)
    found = [unseen(head, len(words)) for words in sentences]
    with torch.inference_mode():
        for chunk, states in token_states(encoder, [row.ids for row in tokenised], rows=rows):
            logs = head(states).log_softmax(-1).cpu().numpy()
            for position, own in zip(chunk, logs, strict=True):
                row = tokenised[position]
                found[position][row.known] = own[[row.first[word] for word in row.known]]
    return found


def unseen(head: Head, length: int) -> NDArray[np.float32]:
    """Log-probabilities ``(length, labels)`` of words the encoder never saw: outside of all."""
    row = np.array([0.0 if label == OUTSIDE else -1e4 for label in head.labels], np.float32)
    return np.tile(row, (length, 1))
