import pytest
from tiny_models import VOCAB, tiny_encoder

from xadapt.backbones.encoder.pairs import tokenize_pairs, tokenize_windows
from xadapt.backbones.encoder.question_rows import Template, hidden_row, with_question_token
from xadapt.backbones.encoder.words import tokenize_words

PIVOT = ("the", "unbelievably", "cat", "sat", "on", "mat")
TEXT = ("auf", "matte", "sitzt", "die", "unglaublich", "katze")


def row(encoder, spans, pivot=PIVOT, text=TEXT, most=64):
    first, second = tokenize_words(encoder, [pivot, text])
    template = Template.of(encoder.tokenizer)
    return hidden_row(first, second, spans, template, VOCAB, most), first, second


def shown(encoder, row, span):
    ids = row.ids[span[0] : span[1] + 1]
    return encoder.tokenizer.decode(list(ids)).replace(" ", "").replace("▁", "").lower()


@pytest.mark.parametrize("family", ["bert", "roberta", "xlmr", "deberta-v3", "modernbert"])
def test_the_template_is_the_tokenizers_own(family):
    encoder = tiny_encoder(family)
    [pair] = tokenize_pairs(encoder, [" ".join(PIVOT)], [" ".join(TEXT)])
    made, *_ = row(encoder, [])
    assert made.ids == pair.ids and made.asked == ()
    if pair.second < len(pair.ids):
        assert made.second == pair.second


def test_offsets_move_when_a_span_of_many_tokens_becomes_one():
    encoder = tiny_encoder()
    made, first, _ = row(encoder, [((1, 3), (4, 6))])
    hidden = [at for at, word in first.pieces if 1 <= word < 3]
    assert len(hidden) > 2 and made.ids.count(VOCAB) == 1
    assert made.ids[made.asked[0]] == VOCAB == made.ids[2]
    assert len(made.ids) == len(row(encoder, [])[0].ids) - len(hidden) + 1
    assert shown(encoder, made, made.gold[0]) == "unglaublichkatze"


def test_the_gold_span_is_a_place_of_the_joint_row():
    encoder = tiny_encoder()
    made, _, second = row(encoder, [((3, 4), (2, 3))])
    begin = made.second_part[0]
    inside = [i for i, (_, word) in enumerate(second.pieces) if word == 2]
    assert made.gold == ((begin + inside[0], begin + inside[-1]),)
    assert shown(encoder, made, made.gold[0]) == "sitzt"


def test_several_spans_have_a_token_each_in_order():
    encoder = tiny_encoder()
    spans = [((3, 4), (2, 3)), ((0, 1), (3, 4)), ((5, 6), (1, 2))]
    made, *_ = row(encoder, spans)
    assert made.ids.count(VOCAB) == 3 and made.spans == (1, 0, 2)
    assert [shown(encoder, made, gold) for gold in made.gold] == ["die", "sitzt", "matte"]
    # neighbours stay apart
    near, *_ = row(encoder, [((0, 1), (3, 4)), ((1, 2), (4, 5))])
    assert near.asked == (1, 2) and near.ids[1:3] == (VOCAB, VOCAB)


def test_segments_hold_no_special_token():
    encoder = tiny_encoder()
    made, *_ = row(encoder, [((1, 3), (4, 6))])
    special = set(encoder.tokenizer.all_special_ids)
    for start, stop in (made.first_part, made.second_part):
        assert stop > start and not special & set(made.ids[start:stop])
    others = (
        set(range(len(made.ids))) - set(range(*made.first_part)) - set(range(*made.second_part))
    )
    assert all(made.ids[i] in special for i in others) and len(others) == 3


def test_a_span_that_is_cut_off_is_not_asked_for():
    encoder = tiny_encoder()
    most = 19
    made, _, _ = row(encoder, [((3, 4), (5, 6)), ((0, 1), (0, 1))], most=most)
    assert len(made.ids) <= most and made.spans == (1,)
    assert shown(encoder, made, made.gold[0]) == "auf"
    far, *_ = row(encoder, [((5, 6), (0, 1))], most=most)
    assert far.asked == () and VOCAB not in far.ids


def test_words_beyond_the_base_have_no_counterpart():
    encoder = tiny_encoder()
    text = TEXT * 12
    made, *_ = row(encoder, [((0, 1), (70, 71)), ((2, 3), (1, 2))], text=text)
    assert made.spans == (1,) and len(made.ids) <= 64


def test_a_question_token_stands_after_the_question():
    encoder = tiny_encoder()
    special = frozenset(encoder.tokenizer.all_special_ids)
    passage = " ".join(TEXT * 8)
    windows = tokenize_windows(encoder, ["the cat sat"], [passage], 8)
    assert len(windows) > 1
    for window in windows:
        one = with_question_token(window, VOCAB, special, encoder.max_length)
        assert len(one.window.ids) == len(one.window.places) <= encoder.max_length
        assert one.window.ids[one.at] == VOCAB and one.window.ids[one.at + 1] in special
        assert one.window.ids[: one.at] == window.ids[: one.at]
        places = [place for place in one.window.places if place is not None]
        assert places == [p for p in window.places if p is not None][: len(places)]
        first, last = one.window.find(*places[0])
        assert one.window.places[first] == places[0] and first == last
    short = tokenize_windows(encoder, ["the cat"], ["die katze"], 8)[0]
    kept = with_question_token(short, VOCAB, special, encoder.max_length)
    assert len(kept.window.ids) == len(short.ids) + 1 and kept.window.second == short.second + 1
