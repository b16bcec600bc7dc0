"""Weights to start from: of an encoder of the same shape, or the layers of an English BERT."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F
from transformers import AutoTokenizer, PreTrainedTokenizerBase, XLMRobertaForMaskedLM

NEAR, WARMTH = 10, 0.1


@torch.no_grad()
def borrow(
    model: XLMRobertaForMaskedLM,
    tokenizer: PreTrainedTokenizerBase,
    place: Path,
    guide: Path | None,
) -> None:
    """Take an XLM-R's weights whole, or a BERT's lowest layers, positions and shared pieces.

    The lowest layers are kept as in https://arxiv.org/abs/2004.03844.

    Args:
        model: Of the same width; changed in place.
        tokenizer: Its tokenizer, whose pieces start words with a low line.
        place: Folder of the weights.
        guide: Folder of an encoder with this tokenizer, whose table tells which pieces are alike.
    """
    given = {name: value.float() for name, value in load_file(place / "model.safetensors").items()}
    if json.loads((place / "config.json").read_text())["model_type"] == "xlm-roberta":
        _whole(model, given)
        return
    given = {name.removeprefix("bert."): value for name, value in given.items()}
    own = model.roberta.state_dict()
    for name in own:
        if name.startswith("encoder.") or "embeddings.LayerNorm" in name:
            own[name].copy_(given[name])
    first = tokenizer.pad_token_id + 1
    positions = own["embeddings.position_embeddings.weight"]
    there = given["embeddings.position_embeddings.weight"]
    positions[first:].copy_(there[: len(positions) - first])
    own["embeddings.token_type_embeddings.weight"].copy_(
        given["embeddings.token_type_embeddings.weight"][:1]
    )
    table = given["embeddings.word_embeddings.weight"]
    words = AutoTokenizer.from_pretrained(place).get_vocab()
    alike = None
    if guide:
        alike = load_file(guide / "model.safetensors")["roberta.embeddings.word_embeddings.weight"]
    fill(own["embeddings.word_embeddings.weight"], table, words, tokenizer.get_vocab(), alike)


def _whole(model: XLMRobertaForMaskedLM, given: dict[str, Tensor]) -> None:
    strange = model.load_state_dict(given, strict=False)
    missing = [name for name in strange.missing_keys if "decoder" not in name]
    if missing or strange.unexpected_keys:
        raise SystemExit(f"these weights have another shape: {missing} {strange.unexpected_keys}")


def fill(
    own: Tensor,
    table: Tensor,
    words: dict[str, int],
    pieces: dict[str, int],
    alike: Tensor | None = None,
) -> int:
    """Write a table row for each piece; how many pieces were found among the words.

    A piece that is not found is a mean of those found that are nearest to it, as in
    https://arxiv.org/abs/2305.14481, section 3.2, or drawn from the table's normal distribution.

    Args:
        own: The table to write, ``(pieces, dim)``.
        table: The table of words.
        words, pieces: Ids by spelling.
        alike: Vectors of the pieces in a space where those used alike are near.
    """
    seen = table[[i for word, i in words.items() if not word.startswith("[unused")]]
    own.copy_(seen.mean(0) + seen.std(0) * torch.randn(own.shape))
    found = {i: words[spelt(piece)] for piece, i in pieces.items() if spelt(piece) in words}
    known = torch.tensor(list(found))
    own[known] = table[torch.tensor(list(found.values()))]
    if alike is not None:
        left = torch.tensor([i for i in pieces.values() if i not in found])
        space = F.normalize(alike.float() - alike.float().mean(0), dim=1)
        near, which = (space[left] @ space[known].T).topk(min(NEAR, len(known)), dim=1)
        own[left] = torch.einsum("pn,pnd->pd", (near / WARMTH).softmax(1), own[known][which])
    return len(found)


def spelt(piece: str) -> str:
    """How an uncased BERT spells a piece."""
    named = {"<s>": "[CLS]", "</s>": "[SEP]", "<pad>": "[PAD]", "<mask>": "[MASK]"}
    if piece in named:
        return named[piece]
    if piece.startswith("▁"):
        return piece[1:].lower()
    return f"##{piece.lower()}" if piece[:1].isalpha() else piece
