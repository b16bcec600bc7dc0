"""Forwards in which two texts of a row attend to each other in some layers, as in FILTER.

Source: Fang et al. 2021, https://arxiv.org/abs/2009.05166, section 3.1. Both texts are embedded and
run alone first, each with positions of its own from the first one on. In the fused layers they are
one sequence. After these layers they run alone again, each with its own mask.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor, cat

from xadapt.backbones.encoder.encode import Rows, acting, chunks
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.finite import require_finite_states
from xadapt.backbones.frames import ActsInForward
from xadapt.core.errors import UserError

Side = tuple[Tensor, Tensor]
Acts = ActsInForward | None
"""States ``(batch, tokens, width)`` and mask ``(batch, tokens)`` of one text of each row."""


def require_layers(encoder: Encoder, fused: tuple[int, int]) -> None:
    """Refuse fused layers that the base does not have.

    Raises:
        UserError: If the range ends behind the base's last layer.
    """
    if fused[1] > encoder.depth:
        raise UserError(
            f"local and fusion layers are {fused[1]} together, and the base has {encoder.depth}",
            todo="Lower local or fusion",
        )


def together(
    encoder: Encoder,
    left: Side,
    right: Side,
    fused: tuple[int, int],
    last: int | None,
    activation: ActsInForward | None,
    second: ActsInForward | None,
) -> tuple[Tensor, Tensor]:
    """Run two texts of each row from the first fused layer on.

    Args:
        encoder: The encoder.
        left: States that enter the first fused layer, and their mask.
        right: The same of the second text.
        fused: ``(start, stop)``, the half-open range of fused layers.
        last: One past the last layer; None means the depth.
        activation: The activation of the rows, in the fused layers of both texts.
        second: The activation of the second text outside the fused layers.

    Returns:
        The states of both texts, ``(batch, tokens, width)``.

    Raises:
        UserError: If the base has too few layers.
    """
    require_layers(encoder, fused)
    start, stop = fused
    end = encoder.depth if last is None else last

    def run(states: Tensor, mask: Tensor, begin: int, close: int, acts: Acts) -> Tensor:
        if begin == close:
            return states
        return encoder.run(states, mask, begin, close, activation=acts)

    mask = cat([left[1], right[1]], 1)
    # Real tokens first: relative positions must not count the padding between the two.
    order = mask.argsort(dim=1, descending=True, stable=True)
    states = _picked(cat([left[0], right[0]], 1), order)
    states = run(states, mask.gather(1, order), start, stop, activation)
    states = _picked(states, order.argsort(dim=1))
    one, other = states.split([left[1].shape[1], right[1].shape[1]], dim=1)
    return run(one, left[1], stop, end, activation), run(other, right[1], stop, end, second)


def fused_states(
    encoder: Encoder,
    ids: Sequence[Sequence[int]],
    beside: Sequence[Sequence[int]],
    fused: tuple[int, int],
    *,
    batch_tokens: int = 4096,
    rows: Rows | None = None,
    owners: Sequence[int] | None = None,
) -> Iterator[tuple[list[int], Tensor]]:
    """Compute the states of token sequences that are read with another one each.

    Args:
        encoder: The encoder.
        ids: Any number of token sequences.
        beside: The other sequence of each.
        fused: As for `together`.
        batch_tokens: Maximum number of padded tokens in one forward.
        rows: As for `xadapt.backbones.encoder.encode.encode`, by owner.
        owners: As for `xadapt.backbones.encoder.encode.token_states`.

    Yields:
        The positions of some rows and their states ``(rows, tokens, width)``, of ``ids`` alone.

    Raises:
        UserError: If the base has too few layers.
        NotFiniteError: If a state of a token has a value that is not finite.
    """
    require_layers(encoder, fused)
    owner = list(range(len(ids))) if owners is None else owners
    lengths = [len(a) + len(b) for a, b in zip(ids, beside, strict=True)]
    for chunk in chunks(lengths, batch_tokens):
        own = acting(rows, [owner[i] for i in chunk])
        sides = []
        for texts in (ids, beside):
            tokens, mask = encoder.batch([texts[i] for i in chunk])
            states = encoder.embed(tokens, mask, None, own)
            if fused[0]:
                states = encoder.run(states, mask, 0, fused[0], activation=own)
            sides.append((states, mask))
        states, _ = together(encoder, sides[0], sides[1], fused, None, own, own)
        require_finite_states(states, [owner[i] for i in chunk], [len(ids[i]) for i in chunk])
        yield chunk, states


def _picked(states: Tensor, order: Tensor) -> Tensor:
    return states.gather(1, order.unsqueeze(-1).expand(-1, -1, states.shape[-1]))
