"""A frozen encoder-decoder: encode once, decode many prefixes step by step, score given targets."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import transformers
from torch import Tensor
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

from xadapt.backbones import fingerprint as prints
from xadapt.backbones import quantized
from xadapt.backbones.bases import Base, resolve
from xadapt.backbones.families import SitePoint
from xadapt.backbones.frames import ActsInForward, forwarding, guard_of
from xadapt.backbones.loading import (
    choose_device,
    choose_dtype,
    load_config,
    load_model,
    load_tokenizer,
)
from xadapt.backbones.seq2seq.decoding import Decoding, Encoded, encoder_outputs
from xadapt.backbones.seq2seq.families import Seq2SeqFamily, family_of
from xadapt.core.errors import UserError

AUTO = "AutoModelForSeq2SeqLM"
"""The class of transformers that holds encoder, decoder and the head for the vocabulary."""
_USUAL_LENGTH, _NO_LIMIT = 512, 1_000_000
SCORES = 1 << 27
"""Scores of one forward over several tokens, at most: half a gibibyte."""


class Seq2Seq:
    """A frozen encoder-decoder model in eval mode: T5, mT5, BART, mBART, M2M100, NLLB, Marian.

    Args:
        model: A model of transformers with a head for its vocabulary.
        tokenizer: Its tokenizer.
        name: Hub id or folder, for messages.
        source: The resolved location of the model; by default it is in memory alone.

    Attributes:
        family: Where its layers and linear sites are.
        encoder_depth: Number of layers of the encoder; the decoder's are numbered on from there.
        depth: Number of all layers.
        width: Size of a token state.
        room: The most tokens that it reads or writes; ``None`` if no number of places is fixed.
        max_length: The most tokens of a source or target in training.
        start: The token before every output.
        guard: The lock between forwards and exchanges of the weights.

    Raises:
        UserError: If the model is of no known family, or has no token before outputs.
    """

    def __init__(
        self, model: Any, tokenizer: Any, name: str = "model", source: Base | None = None
    ) -> None:
        self.model = model.eval().requires_grad_(False)
        self.tokenizer, self.name = tokenizer, name
        self.source = source or Base(name, "memory")
        config = self.model.config
        self.family: Seq2SeqFamily = family_of(str(config.model_type), name)
        self.encoder_depth, decoder = self.family.depths(self.model)
        self.depth = self.encoder_depth + decoder
        self.width = int(config.d_model)
        places = getattr(config, "max_position_embeddings", None)
        self.room = None if places is None else int(places)
        limits = (self.room, int(min(tokenizer.model_max_length, _NO_LIMIT)))
        self.max_length = min((n for n in limits if n and n < _NO_LIMIT), default=_USUAL_LENGTH)
        self.guard = guard_of(self.model)
        self._print: prints.Fingerprint | None = None
        self._loading = threading.Lock()
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
        model, missing = load_model(base, AUTO, config, choose_dtype(dtype, place))
        if missing:
            raise UserError(f"it lacks {len(missing)} weights, such as {missing[0]}", where=name)
        return cls(model.to(place), load_tokenizer(base), name, base)

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        found: torch.device = self.model.device
        return found

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the states."""
        return next(p.dtype for p in self.model.parameters() if p.is_floating_point())

    @property
    def precision(self) -> str:
        """The format of the weights: ``float32`` or ``bfloat16``."""
        return str(self.dtype).removeprefix("torch.")

    @property
    def arithmetic(self) -> str:
        """The dtype, on which states depend besides the base and device."""
        return str(self.dtype)

    @property
    def identity(self) -> prints.Fingerprint:
        """The parts of the fingerprint of encoder and decoder, from the stored weights."""
        with self._loading:
            if self._print is None:
                self._print = prints.fingerprint(self._stored(), self.tokenizer, self.family)
            return self._print

    @property
    def fingerprint(self) -> str:
        """``sha256:...`` over weights, tokenizer and configuration."""
        return self.identity.id

    def hub_id(self) -> str | None:
        """Return the Hub id of the base, or ``None``."""
        return prints.hub_id(self.source)

    def _stored(self) -> Any:
        """Return the model as stored: read again, unless it is only in memory."""
        if self.source.kind == "memory":
            return self.model
        return load_model(self.source, AUTO, load_config(self.source), "auto")[0]

    def sites(self, layer: int, name: str) -> list[SitePoint]:
        """Return the linears of one site of one layer; none if the layer has no such site.

        Args:
            layer: 0 to ``depth - 1``: the encoder's layers, then the decoder's.
            name: One of ``family.site_names``.

        Raises:
            UserError: If there is no such layer, or no layer has such a site.
        """
        return self.family.points(self.model, layer, name)

    @contextmanager
    def active(self, activation: ActsInForward | None) -> Iterator[None]:
        """Let modules act on the forwards of this thread inside the block.

        Args:
            activation: What acts; ``None`` for the bare base.

        Raises:
            UserError: If the activation was made for another base.
        """
        with forwarding(self.guard, activation, torch.ones(0), self.depth):
            yield

    def paths(self, name: str) -> list[str]:
        """Return the paths of the linears of one site, such as ``cross.q``, in all layers.

        Sites are ``q``, ``k``, ``v``, ``attn_out``, ``ffn_in`` and ``ffn_out`` of ``encoder`` and
        ``decoder``, and the attention alone of ``cross``.

        Raises:
            UserError: If there is no such site.
        """
        return self.family.paths(self.model, name)

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
        starts = [self.first(target) for target in targets]
        before = torch.tensor(starts, device=tokens.device)[:, None]
        chosen = encoded.of(torch.tensor(rows, device=encoded.states.device))
        made = self.model(
            encoder_outputs=encoder_outputs(chosen),
            attention_mask=chosen.mask,
            decoder_input_ids=torch.cat([before, tokens[:, :-1]], 1),
            use_cache=False,
        )
        # padding stands behind the target, where no token of it looks
        found = made.logits.float().log_softmax(-1).gather(2, tokens[:, :, None])[:, :, 0]
        return [own[: len(target)] for own, target in zip(found, targets, strict=True)]

    def first(self, target: Sequence[int]) -> int:
        """Return the token before a target.

        It is ``start``, but for targets of mBART that end with their language behind the end: these
        begin with that language, as in transformers.
        """
        end = self.tokenizer.eos_token_id
        if self.model.config.model_type == "mbart" and len(target) > 1 and end is not None:
            last, before = int(target[-1]), int(target[-2])
            return last if before == end and last != end else self.start
        return self.start

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
