"""An encoder with a task head for words: modules, a composition of them, and labels out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from xadapt.adapted import Adapted
from xadapt.backbones.encode import Rows, token_states
from xadapt.backbones.encoder import Encoder
from xadapt.backbones.words import tokenize_words
from xadapt.compose.values import Composition
from xadapt.errors import UserError
from xadapt.heads import Head
from xadapt.hub.opening import open_head, read_manifest
from xadapt.module_places import locate
from xadapt.tag_scheme import OUTSIDE, decode


class Tagger:
    """Labels of words by a head over the states that a composition gives.

    Args:
        adapted: The encoder with its modules.
        head: The head, trained beside one of them.
    """

    def __init__(self, adapted: Adapted, head: Head) -> None:
        self.adapted, self.head = adapted, head.to(adapted.encoder.device)

    @classmethod
    def load(
        cls,
        base: str,
        *folders: str,
        compose: str | Composition = None,
        given: Sequence[str] = (),
        dtype: str = "auto",
        device: str = "auto",
    ) -> Tagger:
        """Load a base, modules and the head that stands beside one of them.

        Args:
            base: As for `Adapted.load`.
            folders: As for `Adapted.load`.
            compose: Which modules act on a row; without it, and with one module, that module
                acts on every row, whatever its language.
            given: Names in the composition that stand for no folder, such as ``emea``.
            dtype: As for `Adapted.load`.
            device: As for `Adapted.load`.

        Raises:
            UserError: As for `Adapted.load`, or not one of the modules has a task head.
        """
        composition, places = locate(folders, compose, given)
        if compose is None and len(places) == 1:
            [composition] = places
        with_head = {
            where: spec
            for where in dict.fromkeys(places.values())
            if (spec := read_manifest(where).head) is not None
        }
        if len(with_head) != 1:
            raise UserError(
                f"{len(with_head) or 'none'} of these modules has a task head: "
                f"{', '.join(with_head or places.values()) or 'no module is given'}",
                todo="Name one module that was trained for a task, such as by the recipe ner",
            )
        adapted = Adapted.open(
            base,
            next(iter(places), None) if given else composition,
            places,
            dtype=dtype,
            device=device,
        )
        [(where, spec)] = with_head.items()
        return cls(adapted, open_head(where, spec, adapted.encoder.width))

    def tag(
        self,
        sentences: Sequence[Sequence[str]],
        languages: Sequence[str | None] | None = None,
        *,
        compositions: Sequence[Composition] | None = None,
    ) -> list[list[str]]:
        """One label a word: the best sequence that the head's scheme allows.

        Args:
            sentences: Sentences as words.
            languages: A tag for each sentence, where the composition chooses by language.
            compositions: Another composition for each sentence.

        Raises:
            UserError: As for `Adapted.encode`.
        """
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
        rows: As for `xadapt.backbones.encode.encode`.
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
