"""A copy of an encoder's last layers that can be trained, for heads that begin as the base does."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

from torch import Tensor, nn

from xadapt.core.errors import UserError

if TYPE_CHECKING:
    from xadapt.backbones.encoder.encoder import Encoder

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class LayersCopy(nn.Module):
    """The last layers of an encoder, with parameters of their own in float32.

    No module of xadapt acts on the copy, and it has no dropout.

    Args:
        encoder: The encoder, which is not changed.
        count: Number of layers, from the last one down.

    Raises:
        UserError: If the encoder has fewer layers, or its linears are quantised.
    """

    def __init__(self, encoder: Encoder, count: int) -> None:
        super().__init__()
        if not 1 <= count <= encoder.depth:
            raise UserError(f"the base has {encoder.depth} layers, and a copy of {count} is asked")
        if encoder.quantized:
            raise UserError(
                f"layers in {encoder.quantized} can't be copied to be trained",
                todo="Use dtype: auto in the recipe",
            )
        layers = encoder.layers(encoder.depth - count, encoder.depth)
        # What acts on the encoder's own layers must not act on the copy.
        hooks = [getattr(part, name) for part in layers.modules() for name in _HOOKS]
        memo = {id(own): type(own)() for own in hooks}
        self.layers = deepcopy(layers, memo).float().eval().requires_grad_(True)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Run states ``(batch, tokens, width)`` with their mask ``(batch, tokens)``."""
        output: Tensor = self.layers(inputs_embeds=states.float(), attention_mask=mask)[0]
        return output

    def train(self, mode: bool = True) -> LayersCopy:
        """Stay in eval mode: the base is deterministic, and so is its copy."""
        return super().train(False)
