"""Sources and targets as token ids: ends, languages, cuts, and what a base lacks."""

from __future__ import annotations

import pytest
import torch
from tiny_seq2seq_training import small, words_tokenizer

from xadapt.backbones.seq2seq.seq2seq import Seq2Seq
from xadapt.backbones.seq2seq.text_tokens import TextTokens
from xadapt.core.errors import UserError


def ids(seq2seq: Seq2Seq, words: str) -> list[int]:
    return [seq2seq.tokenizer.convert_tokens_to_ids(word) for word in words.split()]


def test_t5_reads_and_writes_rows_with_an_end_and_has_sentinels():
    seq2seq = small()
    tokens = TextTokens(seq2seq)
    assert tokens.sources(["the cat"]) == [tuple(ids(seq2seq, "the cat </s>"))]
    assert tokens.targets(["die katze", "hund"], "de") == [
        tuple(ids(seq2seq, "die katze </s>")),
        tuple(ids(seq2seq, "hund </s>")),
    ]
    assert tokens.sentinels == tuple(
        ids(seq2seq, "<extra_id_0> <extra_id_1> <extra_id_2> <extra_id_3>")
    )
    assert tokens.in_words and tokens.forced("de") is None and tokens.sources([]) == []


def test_a_target_begins_with_its_language_where_the_base_has_tokens_for_it():
    seq2seq = small("m2m_100")
    tokens = TextTokens(seq2seq)
    wanted = tuple(ids(seq2seq, "deu_Latn die katze </s>"))
    assert tokens.targets(["die katze"], "de") == [wanted]
    assert tokens.forced("de") == wanted[0] and not tokens.in_words and not tokens.sentinels
    assert seq2seq.tokenizer.tgt_lang == "deu_Latn"
    tokens.sources(["the cat"], "en", "de")
    assert seq2seq.tokenizer.src_lang == "eng_Latn"
    with pytest.raises(UserError, match="m2m_100: the model has no code for the language fi"):
        tokens.targets(["kissa"], "fi")


def test_an_end_is_added_where_the_tokenizer_adds_none_and_kept_before_a_language():
    seq2seq = small("mbart")
    own = words_tokenizer.__wrapped__(("eng_Latn", "deu_Latn"))
    seq2seq.tokenizer = own
    own.backend_tokenizer.post_processor = None
    found = TextTokens(seq2seq).targets(["die katze"], "de")[0]
    assert list(found) == ids(seq2seq, "deu_Latn die katze </s>")


def test_mbart_begins_with_the_language_that_follows_the_end():
    seq2seq = small("mbart")
    end, german = seq2seq.tokenizer.eos_token_id, ids(seq2seq, "deu_Latn")[0]
    assert seq2seq.first([7, 8, end, german]) == german
    assert seq2seq.first([german, 7, end]) == seq2seq.first([7, 8]) == seq2seq.start
    target = [7, 8, end, german]
    with torch.no_grad():
        loss = seq2seq.model(
            input_ids=torch.tensor([[5, 6, end]]), labels=torch.tensor([target])
        ).loss
        [found] = seq2seq.score(seq2seq.encode([[5, 6, end]]), [target])
    assert float(loss) == pytest.approx(float(-found.mean()), abs=1e-5)


def test_marian_reads_the_target_language_in_the_source():
    seq2seq = small("marian")
    tokens = TextTokens(seq2seq)
    tokens.codes = {("deu", ""): "deu_Latn", ("deu", "Latn"): "deu_Latn"}
    assert list(tokens.sources(["the cat"], "en", "de")[0]) == ids(seq2seq, "deu_Latn the cat </s>")
    assert list(tokens.targets(["die katze"], "de")[0]) == ids(seq2seq, "die katze </s>")
    assert tokens.forced("de") is None


def test_long_texts_are_cut_and_counted_and_keep_their_end():
    seq2seq = small()
    seq2seq.max_length = 4
    tokens = TextTokens(seq2seq)
    assert list(tokens.targets(["the cat sat on the mat"])[0]) == ids(seq2seq, "the cat sat </s>")
    tokens.sources(["the cat sat"])
    assert tokens.cut == {"the cat sat on the mat"}
