"""Translation language modelling: masked tokens of a sentence and its translation, read as one."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from xadapt.data.records import ParallelPair
from xadapt.functional.losses import token_cross_entropy
from xadapt.objectives.contract import EncodeView, FusedView, Loss, States, draws
from xadapt.objectives.masking import Masking, require_mask


@dataclass(frozen=True)
class TranslationLanguageModelling:
    """Cross-entropy of masked tokens of two translations that see each other.

    ``L = - mean over masked tokens of log P(x_i | masked [text ; pivot])``, through the base's own
    frozen head. A token may be predicted from the translation, which asks for states that agree
    across the languages.

    Source: Conneau and Lample 2019, "Cross-lingual Language Model Pretraining" (XLM),
    https://arxiv.org/abs/1901.07291, section 3.3. There are no language embeddings here: the
    bases have none.

    Attributes:
        probability: Share of tokens that are predicted.
        mask_rate: Share of these tokens that are replaced by the mask token.
        random_rate: Share of these tokens that are replaced by a random token. The rest is
            unchanged.
        restart: Whether positions restart with the pivot, as in XLM. Then both rows keep their
            special tokens and see each other in all layers. Otherwise the tokenizer joins them to
            one row, cut to the base's length.
        pivot_module: Whether the module acts on the word embeddings of the pivot too, with
            ``restart``. In the layers it acts on both, since they are read as one.
        predict: The side whose tokens are masked and predicted.
    """

    probability: float = 0.15
    mask_rate: float = 0.8
    random_rate: float = 0.1
    restart: bool = True
    pivot_module: bool = True
    predict: Literal["both", "text"] = "both"

    consumes: ClassVar[type] = ParallelPair
    source: ClassVar[str] = "https://arxiv.org/abs/1901.07291"
    coupled: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self.masking()
        if not (self.restart or self.pivot_module):
            raise ValueError("pivot_module: false needs restart: true")

    def masking(self) -> Masking:
        """Return how tokens are masked."""
        return Masking(self.probability, self.mask_rate, self.random_rate)

    def views(
        self,
        records: Sequence[ParallelPair],
        rng: random.Random,
        tokenizer: Any,
        tokenize: Any,
        tokenize_pairs: Any,
        depth: int,
    ) -> dict[str, Any]:
        """Build the view of the pairs with some tokens masked, and the masked positions.

        A position is ``(record, side, place)``; the side is 0 for the text and for joined rows.

        Raises:
            UserError: If the base has no mask token.
        """
        require_mask(tokenizer)
        texts, pivots = [r.text for r in records], [r.pivot for r in records]
        chances, langs = draws(rng, records), [r.lang for r in records]
        picked: list[tuple[int, int, int]] = []
        labels: list[int] = []

        def masked(rows: Sequence[Sequence[int]], side: int, stops: Sequence[int]) -> list[Any]:
            shown = []
            for owner, (ids, chance, stop) in enumerate(zip(rows, chances, stops, strict=True)):
                row, chosen = self.masking().mask(ids[:stop], chance, tokenizer)
                picked.extend((owner, side, at) for at in chosen)
                labels.extend(ids[at] for at in chosen)
                shown.append((*row, *ids[stop:]))
            return shown

        both = self.predict == "both"
        if self.restart:
            ours, theirs = tokenize(texts), tokenize(pivots)
            view: Any = FusedView(
                masked(ours, 0, list(map(len, ours))),
                masked(theirs, 1, list(map(len, theirs))) if both else theirs,
                (0, depth),
                langs=langs,
                paired_module=self.pivot_module,
            )
        else:
            pairs = tokenize_pairs(texts, pivots)
            second = [pair.second for pair in pairs]
            ends = [len(p.ids) if both else min(_first_part(p, tokenizer), p.second) for p in pairs]
            rows = masked([pair.ids for pair in pairs], 0, ends)
            view = EncodeView(rows, output="states", langs=langs, second=second)
        return {"pair": view, "picked": picked, "labels": labels}

    def loss(
        self,
        pair: States,
        picked: list[tuple[int, int, int]],
        labels: list[int],
        lm_head: Callable[[Tensor], Tensor],
    ) -> Loss:
        """Compute each record's mean loss over masked tokens, weighted by number: ``(n,)``."""
        hidden = pair.hidden
        index = torch.tensor(picked, device=hidden.device, dtype=torch.long).reshape(-1, 3)
        target = torch.tensor(labels, device=hidden.device, dtype=torch.long)
        owner, side, at = index.T
        order = side.argsort(stable=True)
        owner, side, at, target = (x[order] for x in (owner, side, at, target))
        states = [hidden[owner[side == 0], at[side == 0]]]
        if pair.paired is not None:
            states.append(pair.paired.hidden[owner[side == 1], at[side == 1]])
        logits = lm_head(torch.cat(states))
        return Loss(*token_cross_entropy(logits, target, owner, len(hidden)))


def _first_part(pair: Any, tokenizer: Any) -> int:
    """Return the end of the first text, for tokenizers without segment ids.

    Such a tokenizer separates the texts by its end token, so the text ends at the first one.
    """
    end = tokenizer.sep_token_id
    return pair.ids.index(end) + 1 if end in pair.ids else len(pair.ids)


Part = TranslationLanguageModelling
