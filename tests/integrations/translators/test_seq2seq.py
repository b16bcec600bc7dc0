"""Translation models with random weights: languages, order, batches; not the quality."""

from __future__ import annotations

import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import M2M100Config, M2M100ForConditionalGeneration, PreTrainedTokenizerFast

from xadapt.core.errors import UserError
from xadapt.integrations.translators.protocol import Translator, open_translator
from xadapt.integrations.translators.seq2seq import Seq2SeqTranslator

WORDS = "the dog cat sleeps runs house a red green hello world".split()  # noqa: SIM905
CODES = ["eng_Latn", "deu_Latn", "zho_Hans", "zho_Hant", "swh_Latn"]


class Coded(PreTrainedTokenizerFast):
    """A tokenizer that takes the source language as NLLB's does."""

    src_lang = "eng_Latn"


def tokenizer() -> Coded:
    vocabulary = {w: i for i, w in enumerate(["<s>", "<pad>", "</s>", "<unk>", *WORDS])}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    own = Coded(
        tokenizer_object=inner,
        bos_token="<s>",
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
    )
    own.add_special_tokens({"additional_special_tokens": CODES}, False)
    return own


@pytest.fixture(scope="module")
def translator() -> Seq2SeqTranslator:
    torch.manual_seed(0)
    own = tokenizer()
    config = M2M100Config(
        vocab_size=len(own), d_model=16, encoder_layers=1, decoder_layers=1,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=16,
        decoder_ffn_dim=16, max_position_embeddings=32, pad_token_id=1, bos_token_id=0,
        eos_token_id=2, decoder_start_token_id=2,
    )  # fmt: skip
    return Seq2SeqTranslator(M2M100ForConditionalGeneration(config), own, "tiny", batch_size=2)


TEXTS = ["the dog sleeps", "a", "the red cat runs a green house", "", "hello world"]


def test_batches_change_nothing(translator):
    together = translator.translate(TEXTS, "en", "de")
    assert together == [translator.translate([text], "en", "de")[0] for text in TEXTS]
    assert together[3] == ""
    assert any(together)
    assert isinstance(translator, Translator)


def test_the_target_language_is_the_first_token(translator, monkeypatch):
    made: list[torch.Tensor] = []
    generate = translator.model.generate

    def kept(**given):
        made.append(generate(**given))
        return made[-1]

    monkeypatch.setattr(translator.model, "generate", kept)
    translator.translate(["a dog"], "en", "zh-Hant")
    translator.translate(["a dog"], "en", "zh")
    ids = [translator.tokenizer.convert_tokens_to_ids(code) for code in ("zho_Hant", "zho_Hans")]
    assert [int(tokens[0, 1]) for tokens in made] == ids


def test_the_source_language_is_told_to_the_tokenizer(translator):
    translator.translate(["a dog"], "sw", "en")
    assert translator.tokenizer.src_lang == "swh_Latn"


def test_an_unknown_language_is_named(translator):
    with pytest.raises(UserError, match="no code for the language fi"):
        translator.translate(["a"], "en", "fi")


def test_a_text_that_is_too_long_is_named(translator):
    with pytest.raises(UserError, match="longer than the 32"):
        translator.translate(["dog " * 40], "en", "de")


def test_a_saved_model_is_opened_by_its_text(translator, tmp_path):
    translator.model.save_pretrained(tmp_path)
    PreTrainedTokenizerFast.save_pretrained(translator.tokenizer, tmp_path)
    config = (tmp_path / "tokenizer_config.json").read_text(encoding="utf-8")
    (tmp_path / "tokenizer_config.json").write_text(
        config.replace('"Coded"', '"PreTrainedTokenizerFast"'), encoding="utf-8"
    )
    found = open_translator(f"seq2seq:{tmp_path}")
    assert found.translate(TEXTS[:2], "en", "de") == translator.translate(TEXTS[:2], "en", "de")
    assert found.facts["transformers"] == transformers.__version__
