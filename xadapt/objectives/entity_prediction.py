"""Prediction of masked entities: what WEP, PEP_MRS, PEP_MS and PEP_M of EntityCS share."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from xadapt.data.records import LinkedSentence
from xadapt.objectives.contract import EncodeView, Loss, States, draws
from xadapt.objectives.masking import EntityMasking, Masking, masked_loss, require_mask

MASKED = 0.8
"""Share of chosen entity tokens that are masked."""
OTHERS = Masking(0.15, 0.8, 0.1)
"""How tokens outside of entities are masked where ``mlm`` is set."""


@dataclass(frozen=True)
class EntityPrediction(ABC):
    """Cross-entropy of the chosen tokens of entities, through the base's own frozen head.

    An entity of which the row holds only a part, because the text is too long, is no entity here.

    Source: EntityCS, Whitehouse et al. 2022, https://arxiv.org/abs/2210.12540, section 2.2.

    Attributes:
        mlm: Choose entity tokens with probability 0.5, and mask 15 % of the other tokens as BERT
            does.
    """

    mlm: bool = False

    consumes: ClassVar[type] = LinkedSentence
    source: ClassVar[str] = "https://arxiv.org/abs/2210.12540"
    coupled: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self.masking()

    @property
    def probability(self) -> float:
        """The share of entities or entity tokens that are chosen."""
        return 0.5 if self.mlm else 1.0

    @abstractmethod
    def masking(self) -> EntityMasking:
        """Return how the tokens of entities are masked."""

    def views(
        self,
        records: Sequence[LinkedSentence],
        rng: random.Random,
        tokenizer: Any,
        tokenize_places: Any,
    ) -> dict[str, Any]:
        """Build the view of the sentences with tokens masked, and the positions to predict.

        Raises:
            UserError: If the base has no mask token.
        """
        require_mask(tokenizer)
        special = set(tokenizer.all_special_ids)
        rows, picked, labels = [], [], []
        texts = tokenize_places([record.text for record in records])
        masking = self.masking()
        for owner, (record, text, chance) in enumerate(
            zip(records, texts, draws(rng, records), strict=True)
        ):
            shown = list(text.ids)
            entities = [text.find(start, stop) for start, stop, _ in record.mentions]
            chosen = masking.mask(shown, entities, chance, tokenizer)
            if self.mlm:
                inside = {at for entity in entities for at in entity}
                outside = [
                    at
                    for at, token in enumerate(text.ids)
                    if token not in special and at not in inside
                ]
                others = OTHERS.choose(outside, chance)
                for at in others:
                    shown[at] = OTHERS.disguise(text.ids[at], chance, tokenizer)
                chosen = sorted({*chosen, *others})
            picked += [(owner, at) for at in chosen]
            labels += [text.ids[at] for at in chosen]
            rows.append(shown)
        view = EncodeView(rows, output="states", langs=[record.lang for record in records])
        return {"text": view, "picked": picked, "labels": labels}

    def loss(
        self,
        text: States,
        picked: list[tuple[int, int]],
        labels: list[int],
        lm_head: Callable[[Tensor], Tensor],
    ) -> Loss:
        """Compute each record's mean loss over chosen tokens, weighted by number: ``(n,)``."""
        return masked_loss(text, picked, labels, lm_head)
