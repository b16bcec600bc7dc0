"""Probe vectors: what a module computes of a few fixed texts, kept in its manifest.

Who loads the module elsewhere computes the same texts and compares. So another base, another
tokenizer, another version of a library or a damaged file is seen in the numbers themselves.
"""

from __future__ import annotations

import base64
import binascii
from copy import deepcopy
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator
from torch import Tensor, nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.own_texts import tokenize_rows
from xadapt.backbones.frozen_model import FrozenModel
from xadapt.backbones.seq2seq.seq2seq import Seq2Seq
from xadapt.backbones.tokenizing import call_tokenizer
from xadapt.core.errors import UserError
from xadapt.injection.activation import Activation, ActiveAdapter

TEXTS = (
    "A short one.",
    "Habari za asubuhi, rafiki yangu! Leo tunasoma kitabu kipya.",
    "Привет, мир: 日本語 और हिन्दी, مرحبا.",
    "7",
)
"""Texts of several scripts and lengths. None is from a data set."""

MOST_TEXTS, MOST_CHARACTERS, MOST_WIDTH = 16, 400, 2**15
TOLERANCES = {"float32": 1e-5, "bfloat16": 3e-2, "float16": 1e-2}
"""Largest difference of two vectors by the dtype of the base, see `difference`."""
ON_GPU = 1e-3
"""The same for a probe that was computed in float32 on a GPU, whose sums have another order."""


class Probe(BaseModel):
    """Probe vectors.

    Attributes:
        texts: The texts.
        width: Values of a vector.
        vectors: The vectors, ``(texts, width)``, little-endian float32, as base64.
        dtype: Dtype of the base that computed them.
        device: ``cpu`` or ``cuda``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    texts: Annotated[
        list[Annotated[str, Field(max_length=MOST_CHARACTERS)]],
        Field(min_length=1, max_length=MOST_TEXTS),
    ]
    width: Annotated[PositiveInt, Field(le=MOST_WIDTH)]
    vectors: Annotated[str, Field(max_length=MOST_TEXTS * MOST_WIDTH * 6)]
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    device: Literal["cpu", "cuda"] = "cpu"

    @model_validator(mode="after")
    def _holds_its_vectors(self) -> Probe:
        size = 4 * len(self.texts) * self.width
        if len(self.vectors) != 4 * -(-size // 3):
            raise ValueError("the vectors have another size than they should")
        try:
            raw = base64.b64decode(self.vectors, validate=True)
        except binascii.Error:
            raise ValueError("the vectors are not base64") from None
        if len(raw) != size or not np.isfinite(np.frombuffer(raw, "<f4")).all():
            raise ValueError("the vectors are no finite numbers of this size")
        return self

    def values(self) -> Tensor:
        """Return the vectors, ``(texts, width)``, float32."""
        raw = base64.b64decode(self.vectors)
        shape = (len(self.texts), self.width)
        return torch.from_numpy(np.frombuffer(raw, "<f4").astype(np.float32).reshape(shape))

    @property
    def tolerance(self) -> float:
        """The largest difference that rounding explains."""
        own = TOLERANCES[self.dtype]
        return own if self.device == "cpu" else max(own, ON_GPU)


def make_probe(base: FrozenModel, module: nn.Module) -> Probe | None:
    """Compute the probe vectors of a module.

    The result is ``None`` for a module that acts only through others, such as a router, and for a
    base whose weights are quantised.

    Args:
        base: The base.
        module: The module; it is copied to the base's device.
    """
    if getattr(module, "leads", None) or base.precision not in TOLERANCES:
        return None
    if base.device.type not in ("cpu", "cuda"):
        return None
    if next((one.device for one in module.parameters()), base.device) != base.device:
        module = deepcopy(module).to(base.device)
    found = probe_vectors(base, module, TEXTS)
    raw = found.numpy().astype("<f4").tobytes()
    return Probe(
        texts=list(TEXTS),
        width=found.shape[1],
        vectors=base64.b64encode(raw).decode("ascii"),
        dtype=base.precision,  # type: ignore[arg-type]
        device=base.device.type,  # type: ignore[arg-type]
    )


def probe_vectors(base: FrozenModel, module: nn.Module, texts: tuple[str, ...]) -> Tensor:
    """Compute the vectors of some texts with a module, ``(texts, width)``, float32, on the CPU.

    Of an encoder-decoder it is the mean state of the decoder that writes each text from itself.
    """
    if isinstance(base, Seq2Seq):
        return _written(base, module, texts)
    encoder: Encoder = base
    adapter = ActiveAdapter(encoder, module)
    own = None if adapter.vocabulary is None else adapter.vocabulary.always
    ids, mask = encoder.batch(tokenize_rows(encoder, texts, [own] * len(texts)))
    acts = Activation.of(adapter)
    with torch.no_grad():
        hidden = encoder.embed(ids, mask, activation=acts)
        states = encoder.run(hidden, mask, activation=acts)
        return encoder.pool(states.float(), mask).float().cpu()


def _written(seq2seq: Seq2Seq, module: nn.Module, texts: tuple[str, ...]) -> Tensor:
    given = call_tokenizer(seq2seq.tokenizer, list(texts), truncation=True, max_length=64)
    acts = Activation.of(ActiveAdapter(seq2seq, module))
    found = []
    with torch.no_grad(), seq2seq.active(acts):
        for ids in given["input_ids"]:  # one by one: no padding, so nothing depends on the others
            tokens = torch.tensor([ids], device=seq2seq.device)
            made = seq2seq.model(
                input_ids=tokens,
                decoder_input_ids=tokens,
                output_hidden_states=True,
                use_cache=False,
            )
            found.append(made.decoder_hidden_states[-1].float().mean(1)[0].cpu())
    return torch.stack(found)


def difference(theirs: Tensor, ours: Tensor) -> float:
    """Return the largest difference; where the largest value is above 1, as a share of it.

    Raises:
        UserError: If the shapes differ.
    """
    if theirs.shape != ours.shape:
        raise UserError(f"vectors of shape {tuple(theirs.shape)}, not {tuple(ours.shape)}")
    return float((theirs - ours).abs().max() / ours.abs().max().clamp(min=1.0))
