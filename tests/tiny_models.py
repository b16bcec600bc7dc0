"""Tiny random encoders of every family, with a small real tokenizer; shared by all tests.

Biases, norms and position tables are randomised, so that an identity that skips one fails.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from torch import nn
from transformers import PreTrainedTokenizerFast

from xadapt.backbones.encoder.encoder import Encoder

FAMILIES = (
    "bert",
    "roberta",
    "xlmr",
    "deberta-v3",
    "deberta-v2-conv",
    "distilbert",
    "modernbert",
    "t5",
    "mt5",
    "m2m100",
)
MASKED_LM = tuple(name for name in FAMILIES if name not in ("t5", "mt5", "m2m100"))
DEPTH, WIDTH, FFN, HEADS, VOCAB, POSITIONS = 4, 32, 64, 4, 200, 64

_COMMON: dict[str, Any] = {"vocab_size": VOCAB, "pad_token_id": 0}
_BERT = {
    **_COMMON,
    "hidden_size": WIDTH,
    "num_hidden_layers": DEPTH,
    "num_attention_heads": HEADS,
    "intermediate_size": FFN,
    "max_position_embeddings": POSITIONS,
}
_DEBERTA = {
    **_BERT,
    "relative_attention": True,
    "position_buckets": 8,
    "pos_att_type": ["p2c", "c2p"],
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "position_biased_input": False,
    "type_vocab_size": 0,
}
_T5 = {
    **_COMMON,
    "d_model": WIDTH,
    "d_kv": WIDTH // HEADS,
    "d_ff": FFN,
    "num_layers": DEPTH,
    "num_heads": HEADS,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 16,
}
# name: (model class, config class, config, how the masked-LM or the whole model is called)
_ROWS: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "bert": ("BertModel", "BertConfig", _BERT, "BertForMaskedLM"),
    "roberta": ("RobertaModel", "RobertaConfig", _BERT, "RobertaForMaskedLM"),
    "xlmr": ("XLMRobertaModel", "XLMRobertaConfig", _BERT, "XLMRobertaForMaskedLM"),
    "deberta-v3": ("DebertaV2Model", "DebertaV2Config", _DEBERTA, "DebertaV2ForMaskedLM"),
    "deberta-v2-conv": (
        "DebertaV2Model",
        "DebertaV2Config",
        {**_DEBERTA, "conv_kernel_size": 3, "conv_act": "gelu"},
        "DebertaV2ForMaskedLM",
    ),
    "distilbert": (
        "DistilBertModel",
        "DistilBertConfig",
        {
            **_COMMON,
            "dim": WIDTH,
            "n_layers": DEPTH,
            "n_heads": HEADS,
            "hidden_dim": FFN,
            "max_position_embeddings": POSITIONS,
        },
        "DistilBertForMaskedLM",
    ),
    "modernbert": (
        "ModernBertModel",
        "ModernBertConfig",
        {
            **_BERT,
            "local_attention": 4,
            "global_attn_every_n_layers": 3,
            "reference_compile": False,
            "cls_token_id": 2,
            "sep_token_id": 3,
            "bos_token_id": 2,
            "eos_token_id": 3,
        },
        "ModernBertForMaskedLM",
    ),
    "t5": ("T5EncoderModel", "T5Config", {**_T5, "feed_forward_proj": "relu"}, ""),
    "mt5": ("MT5EncoderModel", "MT5Config", {**_T5, "feed_forward_proj": "gated-gelu"}, ""),
    "m2m100": (
        "M2M100Model",
        "M2M100Config",
        {
            **_COMMON,
            "d_model": WIDTH,
            "encoder_layers": DEPTH,
            "decoder_layers": 1,
            "encoder_attention_heads": HEADS,
            "decoder_attention_heads": HEADS,
            "encoder_ffn_dim": FFN,
            "decoder_ffn_dim": FFN,
            "max_position_embeddings": POSITIONS,
        },
        "",
    ),
}
SPECIAL = {
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "cls_token": "<s>",
    "sep_token": "</s>",
    "mask_token": "<mask>",
}
TEXTS = (
    "the cat sat on the mat",
    "a dog runs in the park and the cat looks",
    "die katze sitzt auf der matte",
    "ein hund läuft im park und die katze schaut",
    "paka ameketi kwenye mkeka",
    "mbwa anakimbia katika bustani",
    "query: passage: one two three four five six seven",
)
MANY = [*TEXTS, "cat", "paka mbwa", "on the mat sat a dog", ""]


def tiny(family: str, seed: int = 0, **changes: Any) -> tuple[Any, Any]:
    """A tiny plain encoder of a family and its config, every parameter random, in eval mode."""
    name, config_name, options, _ = _ROWS[family]
    pooler = {"add_pooling_layer": False} if family in ("bert", "roberta", "xlmr") else {}
    model = _build(name, config_name, {**options, **changes}, seed, **pooler)
    return (model.encoder if family == "m2m100" else model), model.config


def tiny_masked_lm(family: str, seed: int = 0, **changes: Any) -> Any:
    """The same with a masked-language-model head, for the families that have one."""
    _, config_name, options, name = _ROWS[family]
    return _build(name, config_name, {**options, **changes}, seed)


def tiny_encoder(family: str = "bert", *, seed: int = 0, mlm: bool = False, **kw: Any) -> Encoder:
    """A tiny Encoder in memory; ``kw`` goes to its config, ``pooling`` and ``base`` to ``wrap``."""
    wrapped = {key: kw.pop(key) for key in ("pooling", "base") if key in kw}
    if mlm:
        around = tiny_masked_lm(family, seed, **kw)
        plain = getattr(around, around.base_model_prefix)
        return Encoder.wrap(plain, tiny_tokenizer(), masked_lm=around, **wrapped)
    return Encoder.wrap(tiny(family, seed, **kw)[0], tiny_tokenizer(), **wrapped)


def tiny_folder(
    path: Path, family: str = "bert", *, seed: int = 0, mlm: bool = False, **changes: Any
) -> Path:
    """Save a tiny model and its tokenizer as a base; with its head (``mlm``), or plain."""
    name, config_name, options, masked = _ROWS[family]
    pooler = {"add_pooling_layer": False} if family in ("bert", "roberta", "xlmr") else {}
    if mlm:
        model = _build(masked, config_name, {**options, **changes}, seed)
    else:
        model = _build(name, config_name, {**options, **changes}, seed, **pooler)
    model.save_pretrained(path, safe_serialization=True)
    tiny_tokenizer().save_pretrained(path)
    return path


def tiny_tokenizer(texts: tuple[str, ...] = TEXTS) -> PreTrainedTokenizerFast:
    """A BPE tokenizer trained on a few sentences, with special tokens; at most VOCAB tokens."""
    core = Tokenizer(models.BPE(unk_token="<unk>"))
    core.normalizer = normalizers.NFC()
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    tokens = list(SPECIAL.values())
    trainer = trainers.BpeTrainer(vocab_size=VOCAB, special_tokens=tokens, show_progress=False)
    core.train_from_iterator(texts, trainer)
    ids = {token: core.token_to_id(token) for token in tokens}
    core.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> $B </s>",
        special_tokens=[(token, ids[token]) for token in ("<s>", "</s>")],
    )
    return PreTrainedTokenizerFast(tokenizer_object=core, model_max_length=48, **SPECIAL)


def padded(encoder: Encoder, texts: tuple[str, ...] = TEXTS[:4]) -> tuple[Any, Any]:
    """A batch of texts of several lengths: ids and mask, with padding in it."""
    return encoder.batch(encoder.tokenize(texts))


def _build(name: str, config_name: str, options: dict[str, Any], seed: int, **kw: Any) -> Any:
    torch.manual_seed(seed)
    config = getattr(transformers, config_name)(**options)
    model = getattr(transformers, name)(config, **kw)
    _randomise(model)
    return model.eval()


def _randomise(model: nn.Module) -> None:
    """Give every parameter its own values: initialisation leaves biases 0 and norms 1."""
    generator = torch.Generator().manual_seed(torch.initial_seed() % 2**31)
    with torch.no_grad():
        for name, value in model.named_parameters():
            noise = torch.randn(value.shape, generator=generator)
            is_norm = value.dim() == 1 and name.endswith("weight")
            scale = 0.1 if value.dim() == 1 else value.shape[-1] ** -0.5
            value.copy_(1 + scale * noise if is_norm else scale * noise)
