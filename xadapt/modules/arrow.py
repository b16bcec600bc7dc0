"""Arrow: weights of LoRAs for each token, computed from the LoRAs without training."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from xadapt.modules.hooks import AdapterHook, CapturedInput, Place, SiteInputs
from xadapt.modules.lora import LoRA, LowRank
from xadapt.modules.low_rank import singular

TOP_K = 4
_PATTERN = re.compile(r"arrow(?:@(\d+)(?:@(\d+\.?\d*|\.\d+))?)?", re.ASCII)


@dataclass(frozen=True)
class ArrowOptions:
    """Options of Arrow's weights.

    Attributes:
        top_k: Number of LoRAs that keep a weight in a token. The others get exactly zero.
            ``None`` means the paper's 4, or all where there are fewer.
        temperature: Divisor of the scores.
    """

    top_k: int | None = None
    temperature: float = 1.0


def options_in(router: str) -> ArrowOptions:
    """Parse the options in a route's router: ``arrow``, ``arrow@K`` or ``arrow@K@TEMPERATURE``.

    Raises:
        ValueError: If the text has none of these forms.
    """
    found = _PATTERN.fullmatch(router)
    options = ArrowOptions()
    if found and found[1]:
        options = ArrowOptions(int(found[1]), float(found[2] or 1))
    if not found or options.top_k == 0 or options.temperature == 0:
        raise ValueError(f"{router!r} should be arrow, arrow@TOP_K or arrow@TOP_K@TEMPERATURE")
    return options


class Arrow(nn.Module):
    """Softmax over the length of a token along the direction that each LoRA stretches most.

    The prototype of a LoRA at a site is the first right singular vector ``v`` of its update ``B
    A``; a token ``x``, the input of the site, scores ``|x v|``. The ``top_k`` highest scores go
    through a softmax. LoRAs may differ in rank and sites. At a site, the LoRAs that act
    there get weights. A LoRA with a zero update there scores zero.

    Source: Ostapenko et al. 2024, "Towards Modular LLMs by Building and Reusing a Library of
    LoRAs", https://arxiv.org/abs/2405.11157, section 4. As in the paper and in PEFT 0.21, ``x`` is
    not scaled to length 1 (PEFT's comments mention cosines), so longer states give sharper weights.
    PEFT takes 15 steps of power iteration from a random start. Where two singular values are
    close, the result lies between their vectors. Here the vectors are exact. PEFT's subtraction
    of a general LoRA (GenKnowSub) is left out: PEFT subtracts ``A`` and ``B`` separately, and the
    result is not the difference of the updates.

    Args:
        parts: The LoRAs, in the order of the route; ``None`` for a part that is no single module.
        options: Top k and temperature.

    Raises:
        ValueError: If a part is not a LoRA, or is a LoRA that adds nothing yet and so has no
            direction, or if ``top_k`` is more than the number of parts.
    """

    def __init__(
        self, parts: Sequence[nn.Module | None], options: ArrowOptions = ArrowOptions()
    ) -> None:
        super().__init__()
        self.experts, self.options = len(parts), options
        if options.top_k is not None and options.top_k > self.experts:
            raise ValueError(f"arrow can't keep {options.top_k} of {self.experts} modules")
        self.top_k = options.top_k or min(TOP_K, self.experts)
        self._prototypes: dict[Place, Tensor] = {}
        self._acts: dict[Place, list[int]] = {}
        found: dict[Place, dict[int, Tensor]] = {}
        for number, part in enumerate(parts):
            for place, vector in _prototypes(part, number + 1).items():
                found.setdefault(place, {})[number] = vector
        for place, vectors in found.items():
            self._acts[place] = list(vectors)
            self._prototypes[place] = torch.stack(list(vectors.values()))

    def hooks(self) -> list[AdapterHook]:
        """Return no hooks: Arrow acts through its experts."""
        return []

    def wants(self, place: Place) -> tuple[CapturedInput, ...]:
        """Return no inputs: Arrow reads only the site's own input."""
        return ()

    def prototypes(self, place: Place) -> Tensor:
        """Return unit vectors of the LoRAs that act at a site, ``(acting, in features)``.

        The vector of a LoRA with a zero update is zero. The signs of the vectors are arbitrary.
        """
        return self._prototypes[place]

    def gates(self, place: Place, here: SiteInputs) -> Tensor:
        """Compute the weights of the LoRAs at a site, ``(batch, tokens, experts)``.

        The weights of each token sum to one.
        """
        acts = self._acts[place]
        states = here.input.float()
        if self._prototypes[place].device != states.device:
            self._prototypes[place] = self._prototypes[place].to(states.device)
        scores = (states @ self._prototypes[place].T).abs()
        most, where = scores.topk(min(self.top_k, len(acts)), -1)
        weights = (most / self.options.temperature).softmax(-1)
        gates = scores.new_zeros(*scores.shape[:-1], self.experts)
        numbers = torch.tensor(acts, device=states.device)
        return gates.scatter(-1, numbers[where], weights)


def _prototypes(part: nn.Module | None, number: int) -> dict[Place, Tensor]:
    if not isinstance(part, LoRA):
        raise ValueError(f"arrow routes single LoRAs, and part {number} of the route is none")
    found = {}
    with torch.no_grad():
        for hook in part.hooks():
            low = hook.fn
            assert isinstance(low, LowRank)
            _, sizes, right = singular(low.B.cpu(), low.A.cpu())
            found[hook.place] = (right[0] if sizes[0] > 0 else right[0] * 0).float()
    if not any(vector.any() for vector in found.values()):
        raise ValueError(f"arrow reads trained LoRAs, and part {number} of the route adds nothing")
    return found
