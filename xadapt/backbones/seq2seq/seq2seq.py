"""A frozen encoder-decoder: encode once, decode many prefixes step by step, score given targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from torch import Tensor
from transformers.cache_utils import DynamicCache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from xadapt.backbones import quantized
from xadapt.backbones.bases import resolve
from xadapt.backbones.loading import (
    choose_device,
    choose_dtype,
    load_config,
    load_model,
    load_tokenizer,
)
from xadapt.backbones.seq2seq.families import Seq2SeqFamily, family_of
from xadapt.core.errors import UserError

SCORES = 1 << 27
"""Scores of one forward over several tokens, at most: half a gibibyte."""


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


class Seq2Seq:
    """A frozen encoder-decoder model in eval mode: T5, mT5, BART, mBART, M2M100, NLLB, Marian.

    Args:
        model: A model of transformers with a head for its vocabulary.
        tokenizer: Its tokenizer.
        name: Hub id or folder, for messages.

    Attributes:
        family: Where its layers and linear sites are.
        width: Size of a token state.
        room: The most tokens that it reads or writes; ``None`` if no number of places is fixed.
        start: The token before every output.

    Raises:
        UserError: If the model is of no known family, or has no token before outputs.
    """

    def __init__(self, model: Any, tokenizer: Any, name: str = "model") -> None:
        self.model = model.eval().requires_grad_(False)
        self.tokenizer, self.name = tokenizer, name
        config = self.model.config
        self.family: Seq2SeqFamily = family_of(str(config.model_type), name)
        self.width = int(config.d_model)
        places = getattr(config, "max_position_embeddings", None)
        self.room = None if places is None else int(places)
        self.model.generation_config = _plain(self.model)
        start = self.model.generation_config.decoder_start_token_id
        if start is None:
            raise UserError("the model names no token before outputs", where=name)
        self.start = int(start)

    @classmethod
    def from_pretrained(cls, name: str, *, dtype: str = "auto", device: str = "auto") -> Seq2Seq:
        """Load a model and its tokenizer: safetensors only, no remote code.

        Args:
            name: Hub id, folder or ``package:NAME/SUBDIR``.
            dtype: ``auto``, ``float32`` or ``bfloat16``.
            device: ``auto``, ``cpu``, ``cuda`` or ``mps``.

        Raises:
            UserError: If there is no such model, it is of no known family, or lacks weights.
        """
        if dtype in quantized.NAMES:
            raise UserError(
                f"{dtype} is for encoders alone", where="dtype", todo="Use auto, float32, bfloat16"
            )
        base = resolve(name)
        config = load_config(base)
        family_of(str(config.model_type), name)
        place = choose_device(device)
        model, missing = load_model(
            base, "AutoModelForSeq2SeqLM", config, choose_dtype(dtype, place)
        )
        if missing:
            raise UserError(f"it lacks {len(missing)} weights, such as {missing[0]}", where=name)
        return cls(model.to(place), load_tokenizer(base), name)

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        found: torch.device = self.model.device
        return found

    def sites(self, name: str) -> list[str]:
        """Return the paths of the linears of one site, such as ``cross.q``, in all layers.

        Sites are ``q``, ``k``, ``v``, ``attn_out``, ``ffn_in`` and ``ffn_out`` of ``encoder`` and
        ``decoder``, and the attention alone of ``cross``.

        Raises:
            UserError: If there is no such site.
        """
        return self.family.sites(self.model, name)

    def encode(self, sources: Sequence[Sequence[int]]) -> Encoded:
        """Run the encoder once.

        Args:
            sources: Token ids of each source, with the tokens that the tokenizer adds.

        Raises:
            ValueError: If there is no source, or one is empty.
        """
        tokens, mask = self._padded(sources)
        made = self.model.get_encoder()(input_ids=tokens, attention_mask=mask)
        return Encoded(made.last_hidden_state, mask)

    def decode(self, encoded: Encoded, owners: Sequence[int] | None = None) -> Decoding:
        """Begin to decode: one empty prefix for each source, or for each of ``owners``.

        Args:
            encoded: The sources.
            owners: The source of each prefix; by default each source has one.
        """
        rows = range(len(encoded.states)) if owners is None else owners
        chosen = encoded.of(torch.tensor(list(rows), device=encoded.states.device))
        return Decoding(self, chosen, EncoderDecoderCache(DynamicCache(), DynamicCache()), 0)

    def score(
        self,
        encoded: Encoded,
        targets: Sequence[Sequence[int]],
        owners: Sequence[int] | None = None,
    ) -> list[Tensor]:
        """Compute the log-probability of each token of given targets, in one forward.

        Minus their mean is transformers' loss of the target.

        Args:
            encoded: The sources.
            targets: Token ids of each target, with its end, without the token before outputs.
            owners: The source of each target; by default targets and sources are in one order.

        Returns:
            For each target ``(tokens,)``, float32.

        Raises:
            ValueError: If there is no target, one is empty, or targets and sources differ in
                number.
        """
        rows = list(range(len(targets)) if owners is None else owners)
        if len(rows) != len(targets) or (owners is None and len(rows) != len(encoded.states)):
            raise ValueError(f"{len(targets)} targets don't match their sources")
        tokens, _ = self._padded(targets)
        before = torch.full_like(tokens[:, :1], self.start)
        chosen = encoded.of(torch.tensor(rows, device=encoded.states.device))
        made = self.model(
            encoder_outputs=_given(chosen),
            attention_mask=chosen.mask,
            decoder_input_ids=torch.cat([before, tokens[:, :-1]], 1),
            use_cache=False,
        )
        # padding stands behind the target, where no token of it looks
        found = made.logits.float().log_softmax(-1).gather(2, tokens[:, :, None])[:, :, 0]
        return [own[: len(target)] for own, target in zip(found, targets, strict=True)]

    def rows_at_once(self, tokens: int) -> int:
        """Return how many outputs of some tokens are scored in one forward, at least 1.

        The scores of all tokens of the vocabulary are held for each token of each output.
        """
        return max(1, SCORES // (max(tokens, 1) * int(self.model.config.vocab_size)))

    def _padded(self, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        if not rows or not all(map(len, rows)):
            raise ValueError("there is no row of tokens, or an empty one")
        longest = max(map(len, rows))
        pad = self.tokenizer.pad_token_id or 0
        tokens = [[*row, *[pad] * (longest - len(row))] for row in rows]
        mask = [[1] * len(row) + [0] * (longest - len(row)) for row in rows]
        return torch.tensor(tokens, device=self.device), torch.tensor(mask, device=self.device)


class Decoding:
    """Prefixes of one length, with what the decoder computed of them.

    Attributes:
        length: Number of tokens of every prefix.
    """

    def __init__(
        self, seq2seq: Seq2Seq, encoded: Encoded, cache: EncoderDecoderCache, length: int
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
            encoder_outputs=_given(self._encoded),
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


def _given(encoded: Encoded) -> BaseModelOutput:
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


def _plain(model: Any) -> transformers.GenerationConfig:
    """Return the settings of generation that say how an output begins and ends, and no others.

    A repetition penalty or a least length, made for summaries, would hold back copies.
    """
    names = ("decoder_start", "forced_bos", "bos", "pad", "eos")
    found: dict[str, Any] = {}
    for name in (f"{one}_token_id" for one in names):
        own = getattr(model.generation_config, name, None)
        found[name] = getattr(model.config, name, None) if own is None else own
    return transformers.GenerationConfig(**found)
