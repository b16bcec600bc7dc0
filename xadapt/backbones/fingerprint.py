"""The fingerprint of a base: hashes of its weights and its tokenizer, and its shape.

Weights are hashed twice: exactly (each value as float32, in which every stored dtype is exact), and
rounded to bfloat16. The bfloat16 cast of a base is thus recognised as that base. Heads and poolers
are left out, because they depend on the class that loads the base.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from xadapt.backbones.bases import Base
from xadapt.backbones.protocol import Names
from xadapt.backbones.tokenizing import call_tokenizer
from xadapt.core.errors import UserError
from xadapt.core.files import sha256_file

# SHA-256 of a base's model.safetensors, and the Hub id that it is published under.
KNOWN_BASES = {
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db": (
        "sentence-transformers/all-MiniLM-L6-v2"
    ),
}
# Texts on which two tokenizers of one vocabulary differ if they normalise or split otherwise.
_PROBES = (
    "The quick brown fox; it's 1,234.5 km away!  Two  spaces.",
    "ÀÉÎõü Straße İstanbul ﬁne ½ Å",
    "u\u0308ber a\u0308hnlich cafe\u0301 e\u0323\u0300",
    "Привет, мир. Ёлка",
    "नमस्ते दुनिया",
    "مرحبا بالعالم ١٢٣",
    "日本語と中文和한국어",
    "Habari ya dunia, tọ́jú ẹ̀kọ́",
    "x²+y² ≤ 🙂👍🏽\ttab\nline",
)


@dataclass(frozen=True)
class Fingerprint:
    """The identity of a base.

    Attributes:
        weights_exact: Hash of the values, ``sha256:...``.
        weights_bf16: Hash of the values rounded to bfloat16.
        tokenizer: Hash of the vocabulary, the special tokens and the ids of some probe texts.
        model_type: The ``model_type`` of its configuration.
        layers: Number of layers.
        width: Size of a token state.
        vocab: Rows of the token embeddings.
        dtype: The dtype of the stored weights; not part of the identity.
    """

    weights_exact: str
    weights_bf16: str
    tokenizer: str
    model_type: str
    layers: int
    width: int
    vocab: int
    dtype: str

    @property
    def id(self) -> str:
        """One hash ``sha256:...`` over all attributes except the dtype."""
        row = {key: value for key, value in asdict(self).items() if key != "dtype"}
        return _sha(json.dumps(row, sort_keys=True).encode())

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dictionary for a manifest."""
        return asdict(self)

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Fingerprint:
        """Build a fingerprint from the dictionary of :meth:`to_dict`.

        Raises:
            UserError: If keys are missing or unknown, or a value is of another kind.
        """
        try:
            value = cls(**row)
        except TypeError as error:
            raise UserError(f"this is no fingerprint: {error}") from None
        if not all(type(v) in (str, int) for v in asdict(value).values()):
            raise UserError("this is no fingerprint: a value is neither a text nor a number")
        return value


def fingerprint(model: nn.Module, tokenizer: Any, family: Names) -> Fingerprint:
    """Compute the fingerprint of a plain encoder, or of a whole encoder-decoder.

    Args:
        model: The model, as its base stores it.
        tokenizer: Its tokenizer.
        family: The names of its architecture.
    """
    config: Any = model.config
    exact, rounded = hash_weights(model)
    return Fingerprint(
        weights_exact=exact,
        weights_bf16=rounded,
        tokenizer=hash_tokenizer(tokenizer),
        model_type=str(config.model_type),
        layers=family.depth(model),
        width=int(config.hidden_size),
        vocab=int(model.get_input_embeddings().num_embeddings),  # type: ignore[operator]
        dtype=str(next(model.parameters()).dtype).removeprefix("torch."),
    )


def hash_weights(model: nn.Module) -> tuple[str, str]:
    """Hash all parameters except a pooler's: exactly, and rounded to bfloat16."""
    exact, rounded = hashlib.sha256(), hashlib.sha256()
    for name, value in sorted(model.named_parameters(), key=lambda item: item[0]):
        if name.startswith("pooler."):
            continue
        head = f"{name}{tuple(value.shape)};".encode()
        full = value.detach().to("cpu", torch.float32).contiguous()
        half = full.to(torch.bfloat16)
        exact.update(head)
        exact.update(_bytes(full))
        rounded.update(head)
        rounded.update(_bytes(half.view(torch.int16)))
    return f"sha256:{exact.hexdigest()}", f"sha256:{rounded.hexdigest()}"


def hash_tokenizer(tokenizer: Any) -> str:
    """Hash the behaviour of a tokenizer.

    The hash does not depend on the version of the library that wrote the tokenizer.
    """
    vocabulary = sorted(tokenizer.get_vocab().items())
    special = sorted(tokenizer.all_special_ids)
    probes = [
        list(call_tokenizer(tokenizer, text, truncation=True, max_length=256)["input_ids"])
        for text in _PROBES
    ]
    return _sha(json.dumps([vocabulary, special, probes]).encode())


def compare(a: Fingerprint, b: Fingerprint) -> list[str]:
    """List the differences between two bases in words; the list is empty for equal bases.

    A base and its bfloat16 cast have only one difference, which begins with ``dtype:``.
    """
    found = []
    if a.model_type != b.model_type:
        found.append(f"architecture: {a.model_type} and {b.model_type}")
    if a.layers != b.layers:
        found.append(f"layers: {a.layers} and {b.layers}")
    if a.width != b.width:
        found.append(f"width: {a.width} and {b.width}")
    if a.vocab != b.vocab:
        found.append(f"vocabulary: {a.vocab} and {b.vocab} rows")
    if a.weights_exact != b.weights_exact:
        if a.weights_bf16 == b.weights_bf16:
            found.append(f"dtype: the same weights, once as {a.dtype} and once as {b.dtype}")
        elif not found:
            found.append("weights: other values in the same shape, or added parameters")
    if a.tokenizer != b.tokenizer:
        found.append("tokenizer: another vocabulary, other special tokens or another splitting")
    return found


def hub_id(base: Base) -> str | None:
    """Return the Hub id of a base, or of a known base with the same weights file."""
    if base.kind == "hub":
        return base.location
    weights = Path(base.location, "model.safetensors")
    if base.kind == "memory" or not weights.is_file():
        return None
    return KNOWN_BASES.get(sha256_file(weights))


def _bytes(value: torch.Tensor) -> memoryview:
    """Return the values in memory order, without a copy."""
    return memoryview(value.numpy().data)


def _sha(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
