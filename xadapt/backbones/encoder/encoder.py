"""The frozen encoder: texts to tokens, tokens to states, states through layers, states to vectors.

One primitive, :meth:`Encoder.run`, runs states through any span of layers. Running all layers gives
the states of the transformers model. Every weight is frozen, and the model is always in eval mode.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from xadapt.backbones import fingerprint as prints
from xadapt.backbones import loading, quantized
from xadapt.backbones.bases import Base, resolve
from xadapt.backbones.encoder import masked_lm, sbert_files
from xadapt.backbones.encoder.pooling import Pooling, pool
from xadapt.backbones.encoder.slices import Slices
from xadapt.backbones.encoder.windows import FIRST, Windows, require_windows
from xadapt.backbones.families import Family, SitePoint, family_of, points
from xadapt.backbones.frames import ActsInForward, forwarding, guard_of
from xadapt.backbones.limits import max_length, padding_id, require_rows
from xadapt.backbones.tokenizing import call_tokenizer
from xadapt.core.errors import UserError


class Encoder:
    """A frozen base with its tokenizer and its own pooling.

    A forward does not change the encoder, so any number of threads may use the encoder at once.
    Build an encoder with :meth:`from_pretrained`, or with :meth:`wrap` from a model in memory.

    Attributes:
        base: The name of the base, as the user gave it.
        base_prompts: The prompts of the base's own files by name, whatever ``pooling`` has.
        source: The resolved location of the base.
        model: The plain transformers encoder, without pooler or head.
        quantized: The format of the linears, ``int8`` or ``nf4``; ``None`` if they are in
            ``dtype``.
        tokenizer: The tokenizer of the base.
        family: The names of the architecture.
        pooling: The pooling of token states to one vector per text.
        dense: The dense layers of the pooling, in float32; empty if there are none.
        depth: Number of layers.
        width: Size of a token state.
        max_length: Maximum number of tokens of a text, including special tokens.
        windows: What the vector of a longer text is made of: ``first``, ``mean`` or ``max``.
        guard: The lock between forwards and exchanges of the weights; all encoders around the same
            model share it.
    """

    def __init__(
        self,
        model: nn.Module,
        tokenizer: Any,
        family: Family,
        source: Base,
        pooling: Pooling,
        dense: nn.Module | None = None,
    ) -> None:
        rows = model.get_input_embeddings().num_embeddings  # type: ignore[operator]
        require_rows(tokenizer, int(rows), source.spec)
        self.model = model.eval().requires_grad_(False)
        self.quantized = quantized.settle(model)
        self.tokenizer, self.family, self.source, self.pooling = tokenizer, family, source, pooling
        self.base, self.base_prompts = source.spec, dict(pooling.prompts)
        self.dense = dense if dense is not None else nn.Sequential()
        self._slices = Slices(model, family)
        self.depth = self._slices.depth
        self.width = int(model.config.hidden_size)  # type: ignore[union-attr, arg-type]
        self.max_length = max_length(model.config, tokenizer, family, pooling)
        self._masked_lm: nn.Module | None = None
        self._print: prints.Fingerprint | None = None
        self._skip: tuple[str, int] | None = None
        self.windows: Windows = FIRST
        self.guard = guard_of(model)
        self._loading = threading.Lock()

    @classmethod
    def from_pretrained(cls, base: str, *, dtype: str = "auto", device: str = "auto") -> Encoder:
        """Load a base.

        Args:
            base: Hub id (``org/name`` or ``org/name@revision``), folder, or
                ``package:NAME/SUBDIR``.
            dtype: ``float32``, ``bfloat16``, or ``auto``: bfloat16 where the device is fast at it;
                ``int8`` or ``nf4``: the linears in 8 or 4 bits, all else as for ``auto``.
            device: ``cpu``, ``cuda``, ``mps``, or ``auto``.

        Raises:
            UserError: If there is no such base, the base is not supported, its weights are not
                safe or not complete, its tokenizer has more tokens than the table of word
                embeddings has rows, or ``int8`` or ``nf4`` can't run here.
        """
        source = resolve(base)
        place = loading.choose_device(device)
        floats = loading.choose_dtype(dtype, place)
        bits = quantized.options(dtype, floats, place) if dtype in quantized.NAMES else {}
        model, family = loading.load_encoder(source, floats, **bits)
        pooling = sbert_files.read(source)
        dense = sbert_files.load_dense(source, pooling)
        tokenizer = loading.load_tokenizer(source)
        model = model if bits else model.to(place)
        return cls(model, tokenizer, family, source, pooling, dense.to(place))

    @classmethod
    def wrap(
        cls,
        model: nn.Module,
        tokenizer: Any,
        *,
        base: str = "memory",
        pooling: Pooling | None = None,
        masked_lm: nn.Module | None = None,
    ) -> Encoder:
        """Wrap a transformers encoder that is in memory; the encoder is frozen in place.

        Args:
            model: A plain encoder of a supported family.
            tokenizer: The tokenizer of the encoder.
            base: The name for the base.
            pooling: The pooling; by default the masked mean.
            masked_lm: The ``...ForMaskedLM`` model around the encoder, if :meth:`mlm_head` is
                needed.

        Raises:
            UserError: If the family is not supported, or the tokenizer has too many tokens.
        """
        family = family_of(str(model.config.model_type), base)  # type: ignore[union-attr]
        encoder = cls(model, tokenizer, family, Base(base, "memory"), pooling or Pooling())
        encoder._masked_lm = masked_lm
        return encoder

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the states, and of all weights that are not quantised."""
        return next(p.dtype for p in self.model.parameters() if p.is_floating_point())

    @property
    def precision(self) -> str:
        """The format of the weights: ``float32``, ``bfloat16``, ``int8`` or ``nf4``."""
        return self.quantized or str(self.dtype).removeprefix("torch.")

    @property
    def arithmetic(self) -> str:
        """The dtype and the quantisation, on which states depend besides the base and device."""
        return f"{self.dtype} {self.quantized}" if self.quantized else str(self.dtype)

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return next(self.model.parameters()).device

    @property
    def longest(self) -> int:
        """Maximum number of tokens that the model can read, whatever the base's files say."""
        unlimited = replace(self.pooling, max_length=None)
        return max_length(self.model.config, self.tokenizer, self.family, unlimited)

    @property
    def identity(self) -> prints.Fingerprint:
        """The parts of the fingerprint, computed once from the stored weights."""
        with self._loading:
            if self._print is None:
                self._print = prints.fingerprint(self.stored_model(), self.tokenizer, self.family)
            return self._print

    @property
    def fingerprint(self) -> str:
        """``sha256:...`` over weights, tokenizer and configuration."""
        return self.identity.id

    def stored_model(self) -> nn.Module:
        """Return the plain encoder as stored: read again, unless the base is only in memory."""
        if self.source.kind == "memory":
            return self.model
        return loading.load_encoder(self.source, "auto")[0]

    def adjusted(
        self,
        *,
        prompt: str | None = None,
        max_length: int | None = None,
        windows: str | None = None,
        prompts: Mapping[str, str] | None = None,
    ) -> Encoder:
        """Return an encoder around the same model with other prompts, maximum length or windows.

        Args:
            prompt: The prompt before every text; ``None`` keeps the prompt of this encoder.
            prompts: All prompts by name; ``None`` keeps those of this encoder.
            max_length: Maximum number of tokens of a text, with special tokens; ``None`` keeps it.
            windows: One of `xadapt.backbones.encoder.windows.WINDOWS`; ``None`` keeps it.

        Raises:
            UserError: If ``windows`` is another name.
        """
        other = copy(self)
        if windows is not None:
            other.windows = require_windows(windows)
        if prompt is not None and prompt != self.pooling.prompt:
            other.pooling, other._skip = replace(self.pooling, prompt=prompt), None
        if prompts is not None:
            other.pooling = replace(other.pooling, prompts=dict(prompts))
        other.max_length = self.max_length if max_length is None else max_length
        return other

    def to(self, device: str | torch.device) -> Encoder:
        """Move the weights to a device; encoders around the same model move with them.

        Raises:
            UserError: If there is no such device, or the weights are quantised, which fixes their
                device.
        """
        place = loading.choose_device(str(device))
        if place == self.device:
            return self
        if self.quantized:
            raise UserError(
                f"{self.quantized} weights stay on {self.device}",
                todo="Load the base again with device=...",
            )
        for part in (self.model, self.dense, self._masked_lm):
            if part is not None:
                part.to(place)
        return self

    def hub_id(self) -> str | None:
        """Return the Hub id of the base, or of a known base with the same weights, or ``None``."""
        return prints.hub_id(self.source)

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokenize texts with the base's prompt and special tokens, cut to ``max_length``."""
        if not texts:
            return []
        rows = call_tokenizer(
            self.tokenizer,
            self.full_texts(texts),
            truncation=True,
            max_length=self.max_length,
            padding=False,
        )
        return [list(row) for row in rows["input_ids"]]

    def full_texts(self, texts: Sequence[str]) -> list[str]:
        """Return texts as the tokenizer gets them: with the prompt, in lower case if required."""
        prompt, lower = self.pooling.prompt, self.pooling.lower
        return [(prompt + text).lower() if lower else prompt + text for text in texts]

    def batch(self, ids: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Pad rows of token ids on the right.

        Returns:
            Ids and mask (1 where a token is real), both ``(batch, tokens)``, on the device.
        """
        longest = max(map(len, ids), default=0)
        pad = padding_id(self.model.config, self.tokenizer)
        tokens = torch.full((len(ids), longest), pad, dtype=torch.long)
        mask = torch.zeros_like(tokens)
        for row, one in enumerate(ids):
            tokens[row, : len(one)] = torch.tensor(one, dtype=torch.long)
            mask[row, : len(one)] = 1
        return tokens.to(self.device), mask.to(self.device)

    def embed(
        self,
        tokens: Tensor,
        mask: Tensor,
        second: Sequence[int] | None = None,
        activation: ActsInForward | None = None,
    ) -> Tensor:
        """Embed tokens: compute the states ``(batch, tokens, width)`` that enter layer 0.

        Args:
            tokens: Token ids, ``(batch, tokens)``.
            mask: 1 where a token is real, ``(batch, tokens)``.
            second: The position of the second segment of each row, as in
                `xadapt.backbones.encoder.pairs.Pair`. By default each row is one segment. Only
                bases with several segment ids use this argument.
            activation: The activation of the rows; by default the bare base.

        Raises:
            UserError: If the activation was made for another base.
        """
        types = None
        if second is not None and (getattr(self.model.config, "type_vocab_size", 0) or 0) > 1:
            place = torch.arange(tokens.shape[1], device=tokens.device)
            begins = torch.tensor(list(second), device=tokens.device)
            types = (place >= begins[:, None]).long() * mask
        with forwarding(self.guard, activation, mask, 0):
            return self._slices.embed(tokens, mask, types)

    def run(
        self,
        hidden: Tensor,
        mask: Tensor,
        start: int = 0,
        stop: int | None = None,
        segment_ids: Tensor | None = None,
        activation: ActsInForward | None = None,
    ) -> Tensor:
        """Run states through the layers ``start`` to ``stop - 1``.

        Args:
            hidden: States that enter layer ``start``, ``(batch, tokens, width)``.
            mask: 1 where a token is real, ``(batch, tokens)``.
            start: First layer.
            stop: One past the last layer; None means the depth. At the depth, the final norm is
                applied too, if the family has one.
            segment_ids: The row number of each token, ``(batch, tokens)``, if several rows are
                packed on one line (`PackedSequences`). Tokens attend only to tokens of their own
                row.
            activation: The activation of the rows; by default the bare base.

        Returns:
            States ``(batch, tokens, width)`` in the encoder's dtype. Gradients flow to ``hidden``.

        Raises:
            UserError: If the range is not inside the base's layers, if the activation was made for
                another base, or if another update is merged into the weights of this base.
        """
        stop = self.depth if stop is None else stop
        with forwarding(self.guard, activation, mask, stop):
            return self._slices.run(hidden.to(self.dtype), mask, start, stop, segment_ids)

    def layers(self, start: int, stop: int) -> nn.Module:
        """Return the layers ``start`` to ``stop - 1`` as a model that takes states.

        It shares its parameters with the encoder; `LayersCopy` has its own.

        Args:
            start: First layer.
            stop: One past the last layer, above ``start``.
        """
        return self._slices.part(start, stop)

    def pool(self, states: Tensor, mask: Tensor) -> Tensor:
        """Pool states to one vector per text with the base's pooling: ``(batch, dim)`` in float32.

        Args:
            states: States after the last layer, ``(batch, tokens, width)``.
            mask: 1 where a token is real, ``(batch, tokens)``.
        """
        skip = self._prompt_tokens()
        if skip:
            mask = mask.clone()
            mask[:, :skip] = 0
        return pool(states, mask, self.pooling, self.dense)

    def mlm_head(
        self, before_vocabulary: Callable[[Tensor], Tensor] | None = None
    ) -> Callable[[Tensor], Tensor]:
        """Return the base's masked-language-model head: ``(..., width)`` to ``(..., vocab)``.

        The head is frozen; gradients flow to its input.

        Args:
            before_vocabulary: A function that is applied to the states before they are compared
                with the vocabulary's vectors, such as the inverse of an invertible adapter.

        Raises:
            UserError: If the base has no such head.
        """
        with self._loading:
            if self._masked_lm is None:
                loaded = masked_lm.load(self.source, self.family, self.dtype)
                self._masked_lm = loaded.to(self.device)
        return masked_lm.head(self._masked_lm, before_vocabulary)

    def sites(self, layer: int, name: str) -> list[SitePoint]:
        """Return the linears of one site of one layer.

        A gated FFN with two inner linears has two linears at ``ffn_in``.

        Args:
            layer: 0 to ``depth - 1``.
            name: One of ``q``, ``k``, ``v``, ``attn_out``, ``ffn_in``, ``ffn_out``.

        Raises:
            UserError: If there is no such layer or site.
        """
        return points(self.model, self.family, layer, name)

    def _prompt_tokens(self) -> int:
        """Count the leading tokens to exclude from pooling: the prompt's, if the base does so."""
        prompt = self.pooling.prompt
        if self.pooling.include_prompt or not prompt:
            return 0
        if self._skip is None or self._skip[0] != prompt:
            ids = self.tokenize([""])[0]
            ends = bool(ids) and ids[-1] in self.tokenizer.all_special_ids
            self._skip = (prompt, len(ids) - ends)
        return self._skip[1]
