"""PEP_M: tokens of entities are masked or left, and the masked ones are predicted."""

from __future__ import annotations

from dataclasses import dataclass

from xadapt.objectives.entity_prediction import MASKED, EntityPrediction
from xadapt.objectives.masking import EntityMasking


@dataclass(frozen=True)
class PartialEntityM(EntityPrediction):
    """Cross-entropy of masked tokens of entities: 80 % are masked, 20 % are left without a loss.

    Source: PEP_M of EntityCS, Whitehouse et al. 2022, https://arxiv.org/abs/2210.12540,
    section 2.2, as in the authors' code.

    Attributes:
        mlm: Choose tokens of entities with probability 0.5, and mask 15 % of the other tokens
            as BERT does.
    """

    def masking(self) -> EntityMasking:
        """Return how the tokens of entities are masked."""
        return EntityMasking("token", self.probability, MASKED, 0.0, 0.0)


Part = PartialEntityM
