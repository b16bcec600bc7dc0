import pytest
from tiny_models import TEXTS, tiny_tokenizer
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from xadapt.backbones.own_tokenizer import LONGEST_RUN, around, lowers, train_tokenizer
from xadapt.core.errors import UserError

HINDI = ["बिल्ली चटाई पर बैठी है।", "कुत्ता बगीचे में दौड़ता है।", "यह अच्छा है, बहुत अच्छा!"] * 5


def test_words_that_recur_become_pieces_and_vowel_signs_stay():
    made = train_tokenizer(tiny_tokenizer(), HINDI, 300)
    row = made.encode("बिल्ली अच्छा है।")
    assert row.tokens == ["<s>", "▁बिल्ली", "▁अच्छा", "▁है", "।", "</s>"]


def test_special_tokens_are_those_of_the_base_and_an_unseen_letter_is_unknown():
    base = tiny_tokenizer()
    made = train_tokenizer(base, HINDI, 300)
    assert made.encode("жж", add_special_tokens=False).tokens == ["▁", "<unk>", "<unk>"]
    assert around(base) == (["<s>"], ["</s>"])
    special = sorted(base.all_special_ids)
    assert [made.id_to_token(i) for i in range(5)] == base.convert_ids_to_tokens(special)


def test_equal_texts_give_an_equal_tokenizer_of_at_most_the_size():
    one, other = (train_tokenizer(tiny_tokenizer(), TEXTS * 3, 120) for _ in range(2))
    assert one.to_str() == other.to_str()
    assert one.get_vocab_size() <= 120 + 5


def test_a_run_without_spaces_is_cut():
    made = train_tokenizer(tiny_tokenizer(), ["東京" * LONGEST_RUN] * 4, 300)
    longest = max(len(token.removeprefix("▁")) for token in made.get_vocab())
    assert longest <= LONGEST_RUN
    row = made.encode("東京" * LONGEST_RUN, add_special_tokens=False).tokens
    assert "".join(row) == "▁" + "東京" * LONGEST_RUN


def test_lower_case_is_that_of_the_base():
    assert not lowers(tiny_tokenizer())
    made = train_tokenizer(tiny_tokenizer(), ["Paka paka"] * 9, 100)
    assert made.encode("Paka", add_special_tokens=False).tokens == ["▁Paka"]


def test_a_base_without_an_unknown_token_is_refused():
    plain = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()))
    with pytest.raises(UserError, match="no unknown token"):
        train_tokenizer(plain, TEXTS, 100)
