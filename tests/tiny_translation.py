"""A tiny many-to-many translation model with random weights, whose vocabulary has brackets."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    M2M100Config,
    M2M100ForConditionalGeneration,
    PreTrainedTokenizerFast,
)

from xadapt.integrations.translators.seq2seq import Seq2SeqTranslator

TEXTS = [
    "only France and Britain backed the proposal of Ada Lovelace in New York on Monday",
    "Faransi ni Angiletɛri dɔrɔn de ye laɲini dɛmɛn Dar es Salaam na Nairobi [ ] , .",
    "fransi na uingereza pekee ziliunga mkono pendekezo la new york jumatatu",
]
CODES = ["eng_Latn", "bam_Latn", "swh_Latn", "zho_Hans"]


@cache
def translation_tokenizer() -> PreTrainedTokenizerFast:
    """A unigram tokenizer: spaces become ``▁`` before words."""
    inner = Tokenizer(models.Unigram())
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    inner.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=150, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], unk_token="<unk>"
    )
    inner.train_from_iterator(TEXTS * 20, trainer)
    made = PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<s>", pad_token="<pad>", eos_token="</s>",
        unk_token="<unk>",
    )  # fmt: skip
    made.add_special_tokens({"additional_special_tokens": CODES}, False)
    return made


def translation_model(seed: int = 0, **changes: Any) -> Any:
    """A model whose weights are large enough that what it reads matters."""
    own = translation_tokenizer()
    torch.manual_seed(seed)
    shape = {
        "vocab_size": len(own), "d_model": 16, "encoder_layers": 2, "decoder_layers": 2,
        "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 24,
        "decoder_ffn_dim": 24, "max_position_embeddings": 128, "pad_token_id": 1,
        "bos_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 2, "init_std": 0.4,
    }  # fmt: skip
    return M2M100ForConditionalGeneration(M2M100Config(**shape | changes)).eval()


def tiny_translator(seed: int = 0, **changes: Any) -> Seq2SeqTranslator:
    """The model as a translator."""
    model = translation_model(seed, **changes)
    return Seq2SeqTranslator(model, translation_tokenizer(), f"tiny-{seed}")


def translator_folder(folder: Path, seed: int = 0) -> Path:
    """Save the model and its tokenizer."""
    translation_model(seed).save_pretrained(folder)
    translation_tokenizer().save_pretrained(folder)
    return folder
