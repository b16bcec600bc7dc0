"""PEP_MRS: tokens of entities are masked, replaced or left, and predicted."""

from __future__ import annotations

from dataclasses import dataclass

from xadapt.objectives.entity_prediction import MASKED, EntityPrediction
from xadapt.objectives.masking import EntityMasking


@dataclass(frozen=True)
class PartialEntityMRS(EntityPrediction):
    """Cross-entropy of the tokens of entities: 80 % masked, 10 % random, 10 % left.

    Source: PEP_MRS of EntityCS, Whitehouse et al. 2022, https://arxiv.org/abs/2210.12540,
    section 2.2, as in the authors' code.

    Attributes:
        mlm: Choose tokens of entities with probability 0.5, and mask 15 % of the other tokens
            as BERT does.
        same_rate: Share of chosen tokens that stay and are predicted. If the shares do not sum
            to 1, the rest stays and is not predicted.
    """

    same_rate: float = 0.1

    def masking(self) -> EntityMasking:
        """Return how the tokens of entities are masked."""
        return EntityMasking("token", self.probability, MASKED, 0.1, self.same_rate)


Part = PartialEntityMRS
