from __future__ import annotations

import pytest
from tiny_models import tiny_tokenizer
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from xadapt.backbones.given_tokenizer import given_tokenizer, marked
from xadapt.backbones.mapped_tokenizer import MappedTokenizer, numbered, unknown_of

TEXTS = ["кошка и собака", "собака сидит", "кошка сидит в саду"] * 3


def trained(kind):
    """A small tokenizer of a kind."""
    if kind == "unigram":
        core = Tokenizer(models.Unigram())
        core.pre_tokenizer = pre_tokenizers.Metaspace()
        trainer = trainers.UnigramTrainer(
            vocab_size=60, unk_token="<?>", special_tokens=["<?>"], show_progress=False
        )
    elif kind == "bytes":
        core = Tokenizer(models.BPE())
        core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        trainer = trainers.BpeTrainer(
            vocab_size=320,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
    else:
        core = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        core.pre_tokenizer = pre_tokenizers.Whitespace()
        trainer = trainers.WordPieceTrainer(
            vocab_size=60, special_tokens=["[UNK]"], show_progress=False
        )
    core.train_from_iterator(TEXTS, trainer)
    return core


@pytest.mark.parametrize("kind", ["unigram", "bytes", "pieces"])
def test_tokenizers_of_every_kind_have_the_base_s_special_tokens(tmp_path, kind):
    base, place = tiny_tokenizer(), tmp_path / "tokenizer.json"
    plain = trained(kind)
    plain.save(str(place))
    core = given_tokenizer(base, str(place))
    made = MappedTokenizer(core.to_str(), numbered(core, base, 200, unknown_of(core)), 200)
    [row] = made(["кошка сидит"])["input_ids"]
    inner = plain.encode("кошка сидит", add_special_tokens=False).ids
    assert (row[0], row[-1]) == (base.cls_token_id, base.sep_token_id)
    assert [made.ids.index(i) for i in row[1:-1]] == inner
    assert made.unknown == (None if kind == "bytes" else base.unk_token_id)
    unknown = made(["漢"])["input_ids"][0]
    assert (base.unk_token_id in unknown) == (kind != "bytes")
    texts = marked(made.pieces)
    assert any(one.startswith("▁") and len(one) > 1 for one in texts)
    if kind == "bytes":
        assert "" in texts and not any("Ġ" in one for one in texts)
