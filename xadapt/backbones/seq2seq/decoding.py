"""Prefixes of outputs that an encoder-decoder reads token by token, with a cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput


@dataclass(frozen=True)
class Encoded:
    """What the encoder made of some sources.

    Attributes:
        states: ``(sources, tokens, width)``.
        mask: 1 where a token is real, ``(sources, tokens)``.
    """

    states: Tensor
    mask: Tensor

    def of(self, rows: Tensor) -> Encoded:
        """Return some of the sources, in the order of ``rows``; a source may occur repeatedly."""
        return Encoded(self.states.index_select(0, rows), self.mask.index_select(0, rows))


class Decodes(Protocol):
    """A model that writes; `xadapt.backbones.seq2seq.seq2seq.Seq2Seq`.

    Attributes:
        model: The model of transformers.
        start: The token before every output.
    """

    model: Any
    start: int

    def rows_at_once(self, tokens: int) -> int:
        """Return how many outputs of some tokens are scored in one forward."""


class Decoding:
    """Prefixes of one length, with what the decoder computed of them.

    Attributes:
        length: Number of tokens of every prefix.
    """

    def __init__(
        self, seq2seq: Decodes, encoded: Encoded, cache: EncoderDecoderCache, length: int
    ) -> None:
        self._seq2seq, self._encoded, self._cache = seq2seq, encoded, cache
        self.length = length

    def __len__(self) -> int:
        """Return the number of prefixes."""
        return len(self._encoded.states)

    def step(self, tokens: Sequence[int] | Tensor | None = None) -> Tensor:
        """Add one token to every prefix, and compute what follows.

        Args:
            tokens: A token for each prefix; ``None`` only at the beginning, where the token before
                outputs is read.

        Returns:
            Log-probabilities of the next token, ``(prefixes, vocabulary)``, float32.

        Raises:
            ValueError: If tokens are missing, or not one for each prefix.
        """
        first = self._cache.get_seq_length() == 0
        if (tokens is None) != first:
            raise ValueError("the first step has no token, and every other step has one")
        device = self._encoded.states.device
        given = (
            torch.full((len(self),), self._seq2seq.start, device=device)
            if tokens is None
            else torch.as_tensor(tokens, device=device)
        )
        if given.shape != (len(self),):
            raise ValueError(f"{len(self)} prefixes need as many tokens, not {tuple(given.shape)}")
        self.length += not first
        return self._read(given[:, None])

    def reread(
        self, rows: Sequence[int], tokens: Sequence[Sequence[int]]
    ) -> tuple[Decoding, Tensor]:
        """Return new prefixes of the sources that are here, read in one forward or a few.

        Args:
            rows: Places of the prefixes whose sources are taken; one may occur repeatedly.
            tokens: The tokens of each new prefix, as many for each.

        Returns:
            The new prefixes, and log-probabilities of their next tokens ``(prefixes, vocabulary)``.

        Raises:
            ValueError: If the prefixes differ in length, or in number from ``rows``.
        """
        if len(rows) != len(tokens) or len({len(own) for own in tokens}) != 1:
            raise ValueError("each row has one prefix, and all are of one length")
        device = self._encoded.states.device
        most = self._seq2seq.rows_at_once(len(tokens[0]) + 1)
        parts: list[Decoding] = []
        scores: list[Tensor] = []
        for begin in range(0, len(rows), most):
            some = torch.tensor(list(rows[begin : begin + most]), device=device)
            cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
            part = Decoding(self._seq2seq, self._encoded.of(some), cache, len(tokens[0]))
            given = [[self._seq2seq.start, *own] for own in tokens[begin : begin + most]]
            scores.append(part._read(torch.tensor(given, device=device)))
            parts.append(part)
        made = parts[0].join(parts[1:]) if len(parts) > 1 else parts[0]
        return made, torch.cat(scores)

    def _read(self, tokens: Tensor) -> Tensor:
        """Read tokens ``(prefixes, n)`` behind the cache; return what follows the last one."""
        made = self._seq2seq.model(
            encoder_outputs=encoder_outputs(self._encoded),
            attention_mask=self._encoded.mask,
            decoder_input_ids=tokens,
            past_key_values=self._cache,
            use_cache=True,
        )
        self._cache = made.past_key_values
        found: Tensor = made.logits[:, -1].float().log_softmax(-1)
        return found

    def branch(self, rows: Sequence[int]) -> Decoding:
        """Return some of the prefixes, in this order; one may occur repeatedly.

        The prefixes that are here stay as they are, so that a search can come back to them.

        Args:
            rows: Places of the prefixes.
        """
        at = torch.tensor(list(rows), device=self._encoded.states.device)
        both = (self._cache.self_attention_cache, self._cache.cross_attention_cache)
        cache = EncoderDecoderCache(*(_selected(one, at) for one in both))
        return Decoding(self._seq2seq, self._encoded.of(at), cache, self.length)

    def join(self, others: Sequence[Decoding]) -> Decoding:
        """Return the prefixes that are here and those of others as one, in this order.

        Args:
            others: Prefixes of the same length, whose sources were encoded together with these.

        Raises:
            ValueError: If lengths differ.
        """
        every = [self, *others]
        if len({(one.length, one._cache.get_seq_length()) for one in every}) > 1:
            raise ValueError("prefixes of different lengths can't be joined")
        caches = [one._cache for one in every]
        cache = EncoderDecoderCache(
            _joined([one.self_attention_cache for one in caches]),
            _joined([one.cross_attention_cache for one in caches]),
        )
        states = torch.cat([one._encoded.states for one in every])
        mask = torch.cat([one._encoded.mask for one in every])
        return Decoding(self._seq2seq, Encoded(states, mask), cache, self.length)


def encoder_outputs(encoded: Encoded) -> BaseModelOutput:
    """Return what the encoder made as models take it."""
    states: Any = encoded.states
    return BaseModelOutput(last_hidden_state=states)


def _selected(cache: Any, rows: Tensor) -> DynamicCache:
    made = DynamicCache()
    for number, layer in enumerate(cache.layers):
        if layer.keys is not None:
            made.update(
                layer.keys.index_select(0, rows), layer.values.index_select(0, rows), number
            )
    return made


def _joined(caches: Sequence[Any]) -> DynamicCache:
    made = DynamicCache()
    for number, layers in enumerate(zip(*(one.layers for one in caches), strict=True)):
        if layers[0].keys is not None:
            keys, values = ([getattr(one, name) for one in layers] for name in ("keys", "values"))
            made.update(torch.cat(keys), torch.cat(values), number)
    return made
