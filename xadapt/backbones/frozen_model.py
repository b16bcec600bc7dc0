"""A frozen base of any kind: an encoder, or a whole encoder-decoder."""

from __future__ import annotations

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.seq2seq.seq2seq import Seq2Seq

FrozenModel = Encoder | Seq2Seq


def open_model(kind: str, base: str, *, dtype: str = "auto", device: str = "auto") -> FrozenModel:
    """Load a base of one kind.

    Args:
        kind: ``encoder`` or ``seq2seq``. T5, M2M100 and their like can be opened as either.
        base: Hub id, folder, or ``package:NAME/SUBDIR``.
        dtype: As for `Encoder.from_pretrained`; an encoder-decoder has no ``int8`` and ``nf4``.
        device: ``cpu``, ``cuda``, ``mps``, or ``auto``.

    Raises:
        UserError: If there is no such base, or it is not supported.
    """
    if kind == "seq2seq":
        return Seq2Seq.from_pretrained(base, dtype=dtype, device=device)
    return Encoder.from_pretrained(base, dtype=dtype, device=device)
