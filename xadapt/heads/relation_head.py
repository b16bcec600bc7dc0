"""The head of relations: the states of two marked entities."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from xadapt.heads.head import RELATION, Head


class RelationHead(Head):
    """A head that scores the relation between two marked entities of a text.

    Source: Hennig et al. 2023 (MultiTACRED), https://arxiv.org/abs/2305.04582, appendix, with the
    state of the row's first token; Baldini Soares et al. 2019, https://arxiv.org/abs/1906.03158,
    section 3.2, with the states of both opening markers.

    Args:
        labels: The relations, in order.
        width: Features of a state.
        states: 1 reads the row's first token; 2 reads the markers before head and tail.
        types: 1 if rows end with the types of the entities, else 0.

    Raises:
        ValueError: If ``states`` is neither 1 nor 2.
    """

    def __init__(
        self, labels: Sequence[str], width: int, *, states: int = 2, types: int = 0
    ) -> None:
        if states not in (1, 2):
            raise ValueError("a head of relations reads 1 or 2 states")
        super().__init__(RELATION, labels, states * width)
        self.sizes = {"states": states} | ({"types": 1} if types else {})

    def scores(self, states: Tensor, markers: Tensor) -> Tensor:
        """Compute scores ``(rows, labels)``, in fp32.

        Args:
            states: ``(rows, tokens, width)``.
            markers: Positions of the markers before head and tail, ``(rows, 2)``.
        """
        if self.sizes["states"] == 1:
            return self(states[:, 0])
        rows = torch.arange(len(states), device=states.device).unsqueeze(1)
        return self(states[rows, markers.to(states.device)].flatten(1))
