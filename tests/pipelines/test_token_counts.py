"""How a base spells a language, beside an own vocabulary."""

from __future__ import annotations

import json

import pytest
from tiny_models import tiny_folder
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertTokenizerFast

import xadapt
from xadapt.core.errors import UserError
from xadapt.pipelines.token_counts import Spelling, TokenCounts, _spelling, is_single_letter

NOUNS = ["बिल्ली", "कुत्ता", "किताब", "बगीचा", "नदी"]
VERBS = ["सोती", "दौड़ता", "अच्छी", "सुन्दर", "बड़ी"]
TEXTS = [f"{a} {b} है और {c}" for a in NOUNS for b in VERBS for c in NOUNS]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return str(tiny_folder(tmp_path_factory.mktemp("base")))


def test_numbers_by_hand():
    rows = [["[UNK]", "a", "##b", "##cd"], ["7", "▁e", "ab"]]
    found = _spelling(rows, ["zzz abcd", "7 e ab"], "[UNK]")
    assert found == Spelling(7, 7 / 5, 7 / 11, 3 / 7, 1 / 7)
    single = ["a", "##a", "▁a", "Ġж", "ि", "क"]
    assert all(map(is_single_letter, single))
    assert not any(map(is_single_letter, ["7", "##,", "ab", "▁", ""]))


def test_a_language_the_base_cannot_spell_is_worth_a_vocabulary(base):
    found = xadapt.count_tokens(TEXTS, base=base, lang="hi", size=200)
    assert found.base.unknown > 0.3 and found.own.unknown == 0
    assert found.own.tokens_per_word == pytest.approx(1, abs=0.2)
    assert found.worth_it and "worth it" in found.verdict and "\n" not in found.verdict
    assert found.texts == len(TEXTS[::10]) and found.words == sum(
        len(text.split()) for text in TEXTS[::10]
    )
    made = found.to_dict()
    assert json.loads(json.dumps(made)) == made and made["worth_it"] is True
    assert found.verdict in str(found) and "tokens a word" in str(found)


def test_the_own_vocabulary_has_not_seen_what_is_measured(base):
    """Each measured text is of letters of its own: an own vocabulary can't know them."""
    texts = [f"{chr(0x4E00 + i) * 3} a" if i % 10 == 0 else f"aa {i}" for i in range(100)]
    found = xadapt.count_tokens([*texts, "b"], base=base, lang="zh", size=100)
    assert found.own.unknown > 0.3


def test_a_language_the_base_spells_is_not():
    same = Spelling(100, 1.2, 0.3, 0.1, 0.0)
    assert not TokenCounts("fr", 9, 80, 300, 500, same, same).worth_it
    shorter = Spelling(70, 0.84, 0.21, 0.1, 0.0)
    found = TokenCounts("fr", 9, 80, 300, 500, same, shorter)
    assert found.worth_it and "needs 70% of" in found.verdict
    unknown = Spelling(100, 1.2, 0.3, 0.1, 0.1)
    assert TokenCounts("fr", 9, 80, 300, 500, unknown, same).worth_it
    assert not TokenCounts("fr", 9, 80, 300, 500, unknown, unknown).worth_it


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"texts": ["one"] * 40}, "1 different texts, and 20"),
        ({"size": 5}, "100 to 200,000"),
        ({"lang": "no language"}, "language"),
        ({"texts": "absent.txt"}, "absent.txt"),
        ({"base": "absent-folder/x/y"}, "absent-folder"),
    ],
)
def test_mistakes_are_one_line(base, given, said):
    with pytest.raises(UserError, match=said) as fault:
        xadapt.count_tokens(**{"texts": TEXTS, "base": base, "lang": "hi", **given})
    assert "\n" not in str(fault.value)


def test_texts_in_which_the_base_finds_nothing_are_one_line(tmp_path):
    """BERT's tokenizer drops invisible marks."""
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n")
    BertTokenizerFast(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    texts = ["\u200b" * i for i in range(1, 41)]
    with pytest.raises(UserError, match="no token in these texts"):
        xadapt.count_tokens(texts, base=str(tmp_path), lang="hi")


def test_tokens_that_are_never_one_letter():
    core = Tokenizer(models.WordLevel({"ab": 0, "c": 1}, unk_token="c"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    rows = [core.encode("ab ab").tokens]
    assert _spelling(rows, ["ab ab"], "c").single_letters == 0
