"""Encoding of texts to vectors, with the activation that the caller gives for each row.

Inside `xadapt.backbones.shared_forwards.sharing`, several processes share the forwards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.long_texts import tell_cut, text_windows
from xadapt.backbones.encoder.own_texts import groups, read_texts
from xadapt.backbones.encoder.windows import FIRST, combined, passes
from xadapt.backbones.finite import require_finite, require_finite_states
from xadapt.backbones.frames import ActsInForward
from xadapt.backbones.mapped_tokenizer import MappedTokenizer
from xadapt.backbones.shared_forwards import forwards
from xadapt.core.errors import UserError

Progress = Callable[[int], None]
Rows = Callable[[list[int]], ActsInForward | None] | ActsInForward
"""One activation for all forwards, or a function from the rows of a forward to its activation."""


def encode(
    encoder: Encoder,
    texts: Sequence[str],
    *,
    batch_tokens: int = 4096,
    batch_size: int | None = None,
    rows: Rows | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """Encode texts to sentence vectors, without gradient; forwards take texts sorted by length.

    A text longer than the base reads is cut, with a `CutNotice`, or is read in overlapping windows,
    as the encoder's ``windows`` says. The forwards of the first windows come first.

    Args:
        encoder: The encoder.
        texts: Any number of texts.
        batch_tokens: Maximum number of padded tokens in one forward.
        batch_size: Number of texts in one forward, whatever their length; ``batch_tokens`` then
            has no effect.
        rows: An activation for all texts, or a function from the positions of the texts of one
            forward to its activation. ``None`` means the bare base.
        progress: A function that is called after each forward with the number of its texts.

    Returns:
        ``(n, dim)``, fp32, on the CPU, in the order of the texts.

    Raises:
        NotFiniteError: If a vector has a value that is not finite.
    """
    ids, owners = _read(encoder, texts, rows)
    left = Counter(owners)
    out: Tensor | None = None

    def compute(chunk: list[int]) -> Tensor:
        own = acting(rows, [owners[i] for i in chunk])
        return pooled(encoder, [ids[i] for i in chunk], own).cpu()

    with torch.inference_mode():
        made = _in_passes(ids, owners, compute, torch.device("cpu"), batch_tokens, batch_size)
        for chunk, vectors in made:
            out = vectors.new_zeros(len(ids), vectors.shape[-1]) if out is None else out
            texts_of = [owners[i] for i in chunk]
            require_finite(vectors, texts_of)
            out[chunk] = vectors
            left.subtract(texts_of)
            if progress:
                progress(sum(not left[owner] for owner in set(texts_of)))
    if out is None:
        return torch.zeros(0, dimension(encoder))
    return combined(out, owners, len(texts), encoder.windows, encoder.pooling.normalise)


def _read(
    encoder: Encoder, texts: Sequence[str], rows: Rows | None
) -> tuple[list[Sequence[int]], list[int]]:
    """Tokenize texts, each with the vocabulary of its row; return ids and the text of each."""
    found: list[tuple[int, Sequence[int]]] = []
    chosen, rows_of = read_texts(encoder, texts, vocabularies_of(rows, len(texts)))
    for one, at in groups(chosen):
        some, ids = [texts[i] for i in at], [rows_of[i] for i in at]
        if encoder.windows == FIRST:
            tell_cut(one, some, ids)
            found += zip(at, ids, strict=True)
        else:
            found += [(at[cut.owner], cut.ids) for cut in text_windows(one, some, ids)]
    found.sort(key=lambda pair: pair[0])  # windows of one text stay in order
    return [ids for _, ids in found], [owner for owner, _ in found]


def vocabularies_of(rows: Rows | None, n: int) -> Sequence[MappedTokenizer | None]:
    """Return the tokenizer of each of ``n`` texts; ``None`` for the base's.

    Args:
        rows: As for `encode`.
        n: Number of texts.
    """
    known = getattr(rows, "vocabularies", None)
    if callable(known):
        found: Sequence[MappedTokenizer | None] = known()
        return found
    if not callable(rows):  # the same acts on all rows
        return [next(iter(known or ()), None)] * n
    acts = (rows([i]) for i in range(n))
    return [next(iter(act.vocabularies), None) if act is not None else None for act in acts]


def _in_passes(
    ids: Sequence[Sequence[int]],
    owners: Sequence[int],
    compute: Callable[[list[int]], Tensor],
    device: torch.device,
    batch_tokens: int,
    batch_size: int | None = None,
) -> Iterator[tuple[list[int], Tensor]]:
    """Run the first windows of all owners in forwards of their own, and then the other windows."""
    for group in passes(owners):
        own = [ids[i] for i in group]
        order = chunks([len(row) for row in own], batch_tokens, batch_size)
        yield from forwards(own, ([group[i] for i in chunk] for chunk in order), compute, device)


def token_states(
    encoder: Encoder,
    ids: Sequence[Sequence[int]],
    *,
    second: Sequence[int] | None = None,
    stop: int | None = None,
    batch_tokens: int = 4096,
    rows: Rows | None = None,
    owners: Sequence[int] | None = None,
) -> Iterator[tuple[list[int], Tensor]]:
    """Compute the states of token sequences after the last layer, or after an earlier layer.

    Forwards take the sequences sorted by length.

    Args:
        encoder: The encoder.
        ids: Any number of token sequences.
        second: The position of the second segment of each sequence, as for `Encoder.embed`.
        stop: One past the last layer to run; by default all layers run.
        batch_tokens: Maximum number of padded tokens in one forward.
        rows: As for `encode`, by owner.
        owners: Where sequences are windows, the position of the text of each. The first windows of
            all texts run first. By default each sequence is a text.

    Yields:
        The positions of some rows and their states ``(rows, tokens, width)``.

    Raises:
        NotFiniteError: If a state of a token has a value that is not finite.
        UserError: If a module has a vocabulary of its own, which these ids are not of.
    """
    owner = list(range(len(ids))) if owners is None else owners

    def compute(chunk: list[int]) -> Tensor:
        begins = None if second is None else [second[i] for i in chunk]
        own = acting(rows, [owner[i] for i in chunk])
        if own is not None and own.vocabularies:
            raise UserError(
                "this reads single tokens of the base, and a module here has a vocabulary of its "
                "own",
                todo="Such a module is for the vectors of whole texts",
            )
        return forward(encoder, [ids[i] for i in chunk], begins, stop, own)[0]

    for chunk, states in _in_passes(ids, owner, compute, encoder.device, batch_tokens):
        lengths = [len(ids[i]) for i in chunk]
        require_finite_states(states, [owner[i] for i in chunk], lengths)
        yield chunk, states


def forward(
    encoder: Encoder,
    ids: Sequence[Sequence[int]],
    second: Sequence[int] | None = None,
    stop: int | None = None,
    activation: ActsInForward | None = None,
) -> tuple[Tensor, Tensor]:
    """Run one forward of token sequences; it begins at cached states if the activation has them.

    Args:
        encoder: The encoder.
        ids: Token sequences.
        second: As for `token_states`.
        stop: As for `token_states`.
        activation: The activation of the rows; by default the bare base.

    Returns:
        States ``(batch, tokens, width)`` and mask ``(batch, tokens)``.
    """
    activation = None if activation is None else activation.reading(ids)
    kept = None if activation is None else activation.begins_at(stop)
    if kept is not None:
        begins = [None] * len(ids) if second is None else second
        hidden, mask = kept.entering([(tuple(row), b) for row, b in zip(ids, begins, strict=True)])
        return encoder.run(hidden, mask, kept.start, stop, activation=activation), mask
    tokens, mask = encoder.batch(ids)
    hidden = encoder.embed(tokens, mask, second, activation)
    return encoder.run(hidden, mask, 0, stop, activation=activation), mask


def acting(rows: Rows | None, chunk: list[int]) -> ActsInForward | None:
    """Return the activation of one forward; ``None`` for the bare base.

    Args:
        rows: As for `encode`.
        chunk: Positions of the rows.
    """
    return rows(chunk) if callable(rows) else rows


def dimension(encoder: Encoder) -> int:
    """Return the number of features of the encoder's sentence vectors."""
    pooling = encoder.pooling
    if pooling.dense:
        return pooling.dense[-1].out_features
    return encoder.width * len(pooling.modes)


def pooled(
    encoder: Encoder,
    ids: Sequence[Sequence[int]],
    activation: ActsInForward | None = None,
) -> Tensor:
    """Run one forward of token sequences, and pool the states to vectors ``(n, dim)``.

    Args:
        encoder: The encoder.
        ids: Token sequences.
        activation: As for `forward`.
    """
    return encoder.pool(*forward(encoder, ids, activation=activation))


def chunks(
    lengths: Sequence[int], batch_tokens: int, batch_size: int | None = None
) -> Iterator[list[int]]:
    """Group positions by length so that each group fits the padded token budget.

    Args:
        lengths: Number of tokens of each row.
        batch_tokens: Maximum number of padded tokens of a group.
        batch_size: Number of rows of a group, in place of ``batch_tokens``.

    Yields:
        Positions, longest rows first; a row longer than the budget is a group of its own.
    """
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    start = 0
    while start < len(order):
        size = batch_size or max(1, batch_tokens // max(1, lengths[order[start]]))
        yield order[start : start + size]
        start += size
