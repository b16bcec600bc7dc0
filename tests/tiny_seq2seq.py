"""Tiny encoder-decoder models with random weights, and tokenizers trained on a few words."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    M2M100Config,
    M2M100ForConditionalGeneration,
    MarianConfig,
    MarianMTModel,
    MBartConfig,
    MBartForConditionalGeneration,
    MT5Config,
    MT5ForConditionalGeneration,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

FAMILIES = ("t5", "mt5", "bart", "mbart", "m2m_100", "marian")
TEXTS = [
    "the mayor of The Hague met Ada Lovelace in New York on Monday",
    "Dar es Salaam na Nairobi ni miji mikubwa ya Afrika Mashariki",
    "< > </ PER LOC ORG MISC Person Place <PER> </PER> <LOC> </LOC> <ORG> </ORG>",
]


@cache
def unigram() -> PreTrainedTokenizerFast:
    """A unigram tokenizer as T5's: spaces become ``▁`` before words."""
    inner = Tokenizer(models.Unigram())
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    inner.decoder = decoders.Metaspace()
    special = ["<pad>", "</s>", "<unk>", "<s>"]
    trainer = trainers.UnigramTrainer(vocab_size=140, special_tokens=special, unk_token="<unk>")
    inner.train_from_iterator(TEXTS * 20, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
        bos_token="<s>",
    )  # fmt: skip


@cache
def byte_pairs() -> PreTrainedTokenizerFast:
    """A tokenizer of byte pairs as BART's: a space belongs to the word behind it."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    inner.train_from_iterator(TEXTS * 20, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
        bos_token="<s>",
    )  # fmt: skip


def tiny_tokenizer(family: str) -> PreTrainedTokenizerFast:
    """The tokenizer of a family."""
    return byte_pairs() if family == "bart" else unigram()


def tiny_model(family: str, **changes: Any) -> Any:
    """A model of a family with random weights that are the same at every call."""
    tokenizer = tiny_tokenizer(family)
    known: dict[str, Any] = {
        "vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }  # fmt: skip
    torch.manual_seed(0)
    if family in ("t5", "mt5"):
        shape: dict[str, Any] = {
            "d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2,
            "decoder_start_token_id": tokenizer.pad_token_id,
        }  # fmt: skip
        config, model = {
            "t5": (T5Config, T5ForConditionalGeneration),
            "mt5": (MT5Config, MT5ForConditionalGeneration),
        }[family]
    else:
        shape = {
            "d_model": 16, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2,
            "decoder_attention_heads": 2, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24,
            "max_position_embeddings": 256, "bos_token_id": tokenizer.bos_token_id,
            "decoder_start_token_id": tokenizer.eos_token_id,
        }  # fmt: skip
        config, model = {
            "bart": (BartConfig, BartForConditionalGeneration),
            "mbart": (MBartConfig, MBartForConditionalGeneration),
            "m2m_100": (M2M100Config, M2M100ForConditionalGeneration),
            "marian": (MarianConfig, MarianMTModel),
        }[family]
        if family == "bart":
            shape |= {"forced_bos_token_id": tokenizer.bos_token_id}
    return model(config(**known | shape | changes)).eval().requires_grad_(False)


def tiny_seq2seq_folder(folder: Path, family: str = "t5") -> Path:
    """Save a model and its tokenizer."""
    tiny_model(family).save_pretrained(folder)
    tiny_tokenizer(family).save_pretrained(folder)
    return folder
