"""Translation: a sentence is read, and its translation is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch

from xadapt.data.records import ParallelPair
from xadapt.languages.tags import display_name
from xadapt.objectives.contract import Loss, TargetLosses, TargetView
from xadapt.objectives.target_loss import target_loss


@dataclass(frozen=True)
class Translation:
    """Cross-entropy of the tokens of a translation, given the sentence; the mean over tokens.

    The tokens of the languages of NLLB, M2M100 and mBART stand where the base was trained with
    them, and Marian's in the source. Other bases read the prompt.

    Source: M2M-100, Fan et al. 2021, https://arxiv.org/abs/2010.11125, section 2.1; the prompt is
    that of T5, Raffel et al. 2020, https://arxiv.org/abs/1910.10683, section 2.4.

    Attributes:
        direction: ``from_pivot`` writes the language, ``to_pivot`` writes the pivot, ``both``
            trains on each pair twice.
        prompt: Text before sentences, for bases without tokens of languages; ``{source}`` and
            ``{target}`` stand for the English names of the languages.
    """

    direction: Literal["both", "from_pivot", "to_pivot"] = "both"
    prompt: str = "translate {source} to {target}: "

    consumes: ClassVar[type] = ParallelPair
    source: ClassVar[str] = "https://arxiv.org/abs/2010.11125"
    coupled: ClassVar[bool] = False
    backbone: ClassVar[str] = "seq2seq"

    def views(
        self,
        records: Sequence[ParallelPair],
        tokenize_sources: Callable[..., Any],
        tokenize_targets: Callable[..., Any],
        languages_in_words: bool,
    ) -> dict[str, Any]:
        """Build a view for each direction."""
        made = {}
        for name in ("from_pivot", "to_pivot"):
            if self.direction not in ("both", name):
                continue
            rows = [_turned(r, name == "from_pivot") for r in records]
            langs, into = [row[1] for row in rows], [row[3] for row in rows]
            prompts = [self.prompt_for(*both) for both in zip(langs, into, strict=True)]
            texts = [row[0] for row in rows]
            if languages_in_words:
                texts = [before + text for before, text in zip(prompts, texts, strict=True)]
            sources = tokenize_sources(texts, langs, into)
            targets = tokenize_targets([row[2] for row in rows], into)
            made[name] = TargetView(sources, targets, langs=[r.lang for r in records])
        return made

    def loss(
        self, from_pivot: TargetLosses | None = None, to_pivot: TargetLosses | None = None
    ) -> Loss:
        """Compute each pair's mean loss over the tokens of its targets, weighted by number."""
        both = [target_loss(own) for own in (from_pivot, to_pivot) if own is not None]
        weights = torch.stack([own.weights for own in both if own.weights is not None])
        values = torch.stack([own.values for own in both])
        count = weights.sum(0)
        return Loss((values * weights).sum(0) / count.clamp(min=1), count)

    def prompt_for(self, source: str, target: str) -> str:
        """Return the prompt from one language into another, both BCP-47."""
        names = {"{source}": display_name(source), "{target}": display_name(target)}
        text = self.prompt
        for place, name in names.items():
            text = text.replace(place, name)
        return text


def _turned(pair: ParallelPair, from_pivot: bool) -> tuple[str, str, str, str]:
    """Return the text to read and its language, the text to write and its language."""
    text, pivot = (pair.text, pair.lang), (pair.pivot, pair.pivot_lang)
    return (*pivot, *text) if from_pivot else (*text, *pivot)


Part = Translation
