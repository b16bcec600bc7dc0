"""Masked language modelling on plain text, through the base's own frozen head."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from xadapt.data.records import PlainText
from xadapt.objectives.contract import EncodeView, Loss, States, draws
from xadapt.objectives.masking import Masking, masked_loss, require_mask


@dataclass(frozen=True)
class MaskedLanguageModelling:
    """Cross-entropy of masked tokens, the mean over masked tokens.

    Source: Devlin et al. 2019, https://arxiv.org/abs/1810.04805, section 3.1.

    Attributes:
        probability: Share of tokens that are predicted.
        mask_rate: Share of these tokens that are replaced by the mask token.
        random_rate: Share of these tokens that are replaced by a random token. The rest is
            unchanged.
    """

    probability: float = 0.15
    mask_rate: float = 0.8
    random_rate: float = 0.1

    consumes: ClassVar[type] = PlainText
    source: ClassVar[str] = "https://arxiv.org/abs/1810.04805"
    coupled: ClassVar[bool] = False
    own_vocabulary: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self.masking()

    def masking(self) -> Masking:
        """Return how tokens are masked."""
        return Masking(self.probability, self.mask_rate, self.random_rate)

    def views(
        self, records: Sequence[PlainText], rng: random.Random, tokenizer: Any, tokenize: Any
    ) -> dict[str, Any]:
        """Build the view of the texts with some tokens masked, and the masked positions.

        Raises:
            UserError: If the base has no mask token.
        """
        require_mask(tokenizer)
        rows, picked, labels = [], [], []
        texts = tokenize([r.text for r in records])
        for owner, (ids, chance) in enumerate(zip(texts, draws(rng, records), strict=True)):
            shown, chosen = self.masking().mask(ids, chance, tokenizer)
            picked += [(owner, at) for at in chosen]
            labels += [ids[at] for at in chosen]
            rows.append(shown)
        view = EncodeView(rows, output="states", langs=[r.lang for r in records])
        return {"text": view, "picked": picked, "labels": labels}

    def loss(
        self,
        text: States,
        picked: list[tuple[int, int]],
        labels: list[int],
        lm_head: Callable[[Tensor], Tensor],
    ) -> Loss:
        """Compute each record's mean loss over masked tokens, weighted by number: ``(n,)``."""
        return masked_loss(text, picked, labels, lm_head)


Part = MaskedLanguageModelling
