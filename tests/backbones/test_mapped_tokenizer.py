import pytest
from tiny_models import TEXTS, VOCAB, tiny_tokenizer
from tokenizers import Tokenizer, models

from xadapt.backbones.mapped_tokenizer import MappedTokenizer, numbered, read_tokenizer
from xadapt.backbones.own_tokenizer import train_tokenizer
from xadapt.core.errors import UserError


@pytest.fixture(scope="module")
def core():
    return train_tokenizer(tiny_tokenizer(), ["кот и пёс"] * 3, 60)


def test_ids_are_those_of_the_base_s_special_tokens_and_of_own_rows(core):
    base = tiny_tokenizer()
    ids = numbered(core, base, VOCAB)
    own = MappedTokenizer(core.to_str(), ids, VOCAB)
    [row] = own(["кот ъ"])["input_ids"]
    pieces = {piece: VOCAB + i for i, piece in enumerate(own.pieces)}
    assert row == [
        base.cls_token_id, pieces["▁кот"], pieces["▁"], base.unk_token_id, base.sep_token_id
    ]  # fmt: skip
    assert own.unknown == base.unk_token_id
    assert own("кот")["input_ids"] == [base.cls_token_id, pieces["▁кот"], base.sep_token_id]
    cut = own(["кот и пёс"] * 2, truncation=True, max_length=4)["input_ids"]
    assert [len(row) for row in cut] == [4, 4] and own(TEXTS[0])["input_ids"]


def test_a_tokenizer_with_gaps_or_without_the_unknown_token_is_refused():
    base = tiny_tokenizer()
    plain = Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
    with pytest.raises(UserError, match="lacks the base's unknown"):
        numbered(plain, base, VOCAB)
    gap = Tokenizer(models.WordLevel({"a": 0, "<unk>": 4}, unk_token="<unk>"))
    with pytest.raises(UserError, match="leaves some ids out"):
        numbered(gap, base, VOCAB)


def test_other_ids_than_the_file_s_are_refused(core):
    ids = numbered(core, tiny_tokenizer(), VOCAB)
    for wrong, said in (
        (ids[:-1], "other ids"),
        ([*ids[:-1], VOCAB], "those of its rows"),
        ([-1, *ids[1:]], "those of its rows"),
    ):
        with pytest.raises(UserError, match=said):
            MappedTokenizer(core.to_str(), wrong, VOCAB)
    for text in ("", "{}", "[1]", '{"model": 3}'):
        with pytest.raises(UserError, match="no tokenizer"):
            read_tokenizer(text)
