"""Similarity of texts in two languages by a translation model: NMTScore, direct.

Source: Vamvas and Sennrich 2022, https://arxiv.org/abs/2204.13692, and its code
(https://github.com/ZurichNLP/nmtscore). There the end of a text is counted twice, and the language
of the text that is translated is not set for every model; here neither is so.
"""

from __future__ import annotations

from collections.abc import Sequence

from xadapt.core.errors import UserError
from xadapt.integrations.translators.direction import Direction
from xadapt.integrations.translators.seq2seq import Seq2SeqTranslator

Words = tuple[str, ...]


class NmtScorer:
    """Scores of pairs of texts ``(a, b)``: the mean of ``P(b|a) / P(b|b)`` and ``P(a|b) / P(a|a)``.

    ``P(y|x)`` is ``2 ** l``, where ``l`` is the mean log-probability (natural) of the tokens of
    ``y`` and of its end, given ``x``; the token of the language is left out. A score may be above
    1. What was scored is kept.

    Args:
        translator: A model that translates in all directions.
        first: Language of the first texts.
        second: Language of the second texts.

    Raises:
        UserError: If the model translates in one direction only, or doesn't know a language.
    """

    def __init__(self, translator: Seq2SeqTranslator, first: str, second: str) -> None:
        if translator.one_way:
            raise UserError(
                "the model translates in one direction, and scores of all directions are needed",
                where=translator.name, todo="Name a model such as NLLB or M2M100",
            )  # fmt: skip
        both = (first, second)
        self._ways = {
            (a, b): Direction(translator, both[a], both[b]) for a in (0, 1) for b in (0, 1)
        }
        self._known: dict[tuple[int, int, Words, Words], float] = {}

    def score(self, pairs: Sequence[tuple[Words, Words]]) -> list[float]:
        """Score pairs of texts.

        Args:
            pairs: The words of a text of the first language and of one of the second.

        Returns:
            A score for each; 0 where a text can't be read or written by the model.
        """
        for a, b in self._ways:
            self._compute((a, b), [(own[a], own[b]) for own in pairs])
        return [(self._ratio(0, 1, a, b) + self._ratio(1, 0, b, a)) / 2 for a, b in pairs]

    def probability(self, source: int, target: int, text: Words, other: Words) -> float:
        """Return ``P(other | text)``.

        Args:
            source: 0 if the text is of the first language, 1 if of the second.
            target: The same for the other text.
            text: The words that are translated.
            other: The words of the translation.
        """
        self._compute((source, target), [(text, other)])
        return self._known[source, target, text, other]

    def _ratio(self, a: int, b: int, text: Words, other: Words) -> float:
        own = self._known[b, b, other, other]
        return self._known[a, b, text, other] / own if own else 0.0

    def _compute(self, way: tuple[int, int], pairs: Sequence[tuple[Words, Words]]) -> None:
        new = [pair for pair in dict.fromkeys(pairs) if (*way, *pair) not in self._known]
        if not new:
            return
        direction = self._ways[way]
        sources = direction.sources([direction.text(text) for text, _ in new])
        targets = [direction.target(other) for _, other in new]
        fine = [n for n, own in enumerate(targets) if own and direction.fits(sources[n], own)]
        scores = direction.score([sources[n] for n in fine], [targets[n] or () for n in fine])
        self._known |= {(*way, *pair): 0.0 for pair in new}
        for n, own in zip(fine, scores, strict=True):
            self._known[*way, *new[n]] = float(2 ** (sum(own) / len(own)))
