"""WEP: whole entities are masked and predicted."""

from __future__ import annotations

from dataclasses import dataclass

from xadapt.objectives.entity_prediction import MASKED, EntityPrediction
from xadapt.objectives.masking import EntityMasking


@dataclass(frozen=True)
class WholeEntityPrediction(EntityPrediction):
    """Cross-entropy of whole entities: one draw masks an entity (80 %) or leaves it (20 %).

    Source: WEP of EntityCS, Whitehouse et al. 2022, https://arxiv.org/abs/2210.12540,
    section 2.2, as in the authors' code.

    Attributes:
        mlm: Choose entities with probability 0.5, and mask 15 % of the other tokens
            as BERT does.
        same_rate: Share of chosen entities that stay and are predicted. If the shares do not sum
            to 1, the rest stays and is not predicted.
    """

    same_rate: float = 0.2

    def masking(self) -> EntityMasking:
        """Return how the tokens of entities are masked."""
        return EntityMasking("entity", self.probability, MASKED, 0.0, self.same_rate)


Part = WholeEntityPrediction
