"""Tokens of texts and translations by tokenizers of transformers that need their languages set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_translation import TEXTS, tiny_translator
from transformers import (
    M2M100Config,
    M2M100ForConditionalGeneration,
    M2M100Tokenizer,
    MarianConfig,
    MarianMTModel,
    MarianTokenizer,
)

from xadapt.core.errors import UserError
from xadapt.integrations.translators.direction import Direction, translation_model
from xadapt.integrations.translators.seq2seq import Seq2SeqTranslator

SHAPE = {
    "d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16,
    "max_position_embeddings": 64,
}  # fmt: skip


def sentencepiece_file(folder: Path, name: str, texts: list[str]) -> tuple[Path, list[str]]:
    """Train a tokenizer on texts, as those of translation models are made."""
    package = pytest.importorskip("sentencepiece")
    prefix = folder / name
    package.SentencePieceTrainer.train(
        sentence_iterator=iter(texts * 5), model_prefix=str(prefix), vocab_size=90,
        hard_vocab_limit=False, minloglevel=2,
    )  # fmt: skip
    path = Path(f"{prefix}.model")
    made = package.SentencePieceProcessor(model_file=str(path))
    return path, [made.id_to_piece(n) for n in range(3, made.get_piece_size())]


def test_m2m100_writes_its_languages_before_texts_and_outputs(tmp_path):
    path, pieces = sentencepiece_file(tmp_path, "spm", TEXTS)
    vocabulary = {p: n for n, p in enumerate(["<s>", "<pad>", "</s>", "<unk>", *pieces])}
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    tokenizer = M2M100Tokenizer(str(tmp_path / "vocab.json"), str(path))
    config = M2M100Config(
        vocab_size=400, pad_token_id=1, bos_token_id=0, eos_token_id=2,
        decoder_start_token_id=2, **SHAPE,
    )  # fmt: skip
    own = Seq2SeqTranslator(M2M100ForConditionalGeneration(config), tokenizer, "m2m")
    there, back = Direction(own, "en", "sw"), Direction(own, "sw", "en")
    for _ in range(2):  # each sets its languages anew
        for direction, first, forced in ((there, "__en__", "__sw__"), (back, "__sw__", "__en__")):
            [tokens] = direction.sources(["New York"])
            shown = tokenizer.convert_ids_to_tokens(tokens)
            assert shown[0] == first and shown[-1] == "</s>"
            assert tokenizer.convert_ids_to_tokens(list(direction.forced)) == [forced]
            words = direction.words(["New", "York", "</s>", "東"])
            shown = [tokenizer.convert_ids_to_tokens(list(word)) for word in words]
            assert shown[0][0].startswith("▁") and shown[1][0].startswith("▁")
            assert all("</s>" not in word and "__" not in "".join(word) for word in shown)
    marker = tokenizer.convert_ids_to_tokens(list(there.marker("[")))
    assert "".join(marker) == "▁["
    [scores] = there.score(there.sources(["New York"]), [there.target(["York"])])
    assert len(scores) == len(there.target(["York"])) and max(scores) < 0
    settings = own.model.generation_config
    assert settings.to_dict() == M2M100ForConditionalGeneration(config).generation_config.to_dict()


def test_marian_reads_and_writes_by_two_tokenizers(tmp_path):
    source, one = sentencepiece_file(tmp_path, "source", TEXTS[:1])
    target, other = sentencepiece_file(tmp_path, "target", TEXTS[1:])
    names = ["</s>", "<unk>", *dict.fromkeys([*one, *other]), "<pad>"]
    vocabulary = {p: n for n, p in enumerate(names)}
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    tokenizer = MarianTokenizer(
        source_spm=str(source), target_spm=str(target), vocab=str(tmp_path / "vocab.json"),
    )  # fmt: skip
    pad = vocabulary["<pad>"]
    config = MarianConfig(
        vocab_size=len(names), pad_token_id=pad, eos_token_id=0, decoder_start_token_id=pad, **SHAPE
    )
    own = Seq2SeqTranslator(MarianMTModel(config), tokenizer, "marian")
    direction = Direction(own, "en", "bm")
    assert own.one_way and not tiny_translator().one_way and direction.forced == ()
    [tokens] = direction.sources(["New York"])
    cut = tokenizer.convert_ids_to_tokens
    assert "".join(cut(tokens)) == "▁New▁York</s>"
    [word] = direction.words(["laɲini"])
    writes = pytest.importorskip("sentencepiece").SentencePieceProcessor(model_file=str(target))
    reads = pytest.importorskip("sentencepiece").SentencePieceProcessor(model_file=str(source))
    assert (
        cut(list(word))
        == writes.encode("laɲini", out_type=str)
        != reads.encode("laɲini", out_type=str)
    )
    assert direction.target(["laɲini"])[-1] == 0 and direction.fits(tokens, word)
    assert not direction.fits(tokens, word * 80)


def test_mistakes_are_named():
    own = tiny_translator()
    assert translation_model(own, "codec") is own
    for given in ("apertium", "m2m", None, 3):
        with pytest.raises(UserError, match="codec needs a translation model that scores"):
            translation_model(given, "codec")
    with pytest.raises(UserError, match="no code for the language fi"):
        Direction(own, "en", "fi")
    assert Direction(own, "en", "sw").words([]) is None
