"""Two texts in one row: equal to what plain transformers computes from ``tokenizer(a, b)``."""

from __future__ import annotations

import warnings
from itertools import pairwise

import pytest
import torch
from tiny_models import FAMILIES, TEXTS, tiny_encoder
from tokenizers import processors

from xadapt.backbones.encoder.encode import token_states
from xadapt.backbones.encoder.pairs import tell_cut_pairs, tokenize_pairs, tokenize_windows
from xadapt.backbones.encoder.pooling import Pooling
from xadapt.backbones.encoder.windows import CutNotice
from xadapt.core.errors import UserError

LEFT, RIGHT = TEXTS[:3], TEXTS[3:6]
WITH_TYPES = ("bert", "deberta-v3", "deberta-v2-conv")  # whose real tokenizers give them


def typed(encoder, types=True):
    """The tokenizer as that of BERT, or as those that know no token types."""
    ids = [(token, encoder.tokenizer.convert_tokens_to_ids(token)) for token in ("<s>", "</s>")]
    encoder.tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=ids
    )
    names = ["input_ids", *["token_type_ids"] * types, "attention_mask"]
    encoder.tokenizer.model_input_names = names
    return encoder


def plain(encoder, left, right):
    """The plain model's own states, row by row, without padding."""
    rows = []
    for one, other in zip(left, right, strict=True):
        batch = encoder.tokenizer(
            one, other, truncation=True, max_length=encoder.max_length, return_tensors="pt"
        )
        with torch.no_grad():
            rows.append((batch["input_ids"][0].tolist(), encoder.model(**batch)[0][0]))
    return rows


@pytest.mark.parametrize("family", FAMILIES)
def test_states_of_pairs_are_those_of_the_plain_model(family):
    changes = {"type_vocab_size": 1} if family in ("xlmr", "roberta") else {}
    encoder = typed(tiny_encoder(family, **changes), types=family in WITH_TYPES)
    made = tokenize_pairs(encoder, LEFT, RIGHT)
    ids, second = [pair.ids for pair in made], [pair.second for pair in made]
    told = family in WITH_TYPES
    assert all((pair.second < len(pair.ids)) == told for pair in made)
    wanted = plain(encoder, LEFT, RIGHT)
    assert [list(pair.ids) for pair in made] == [row for row, _ in wanted]
    with torch.no_grad():
        for chunk, states in token_states(encoder, ids, second=second, batch_tokens=60):
            for position, own in zip(chunk, states, strict=True):
                theirs = wanted[position][1]
                torch.testing.assert_close(own[: len(theirs)], theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", ["bert", "deberta-v3"])
def test_token_types_count_where_the_base_has_them(family):
    encoder = typed(tiny_encoder(family, type_vocab_size=2))
    (pair,) = tokenize_pairs(encoder, LEFT[:1], RIGHT[:1])
    tokens, mask = encoder.batch([pair.ids])
    told, untold = (encoder.embed(tokens, mask, second) for second in ([pair.second], None))
    assert torch.equal(told[0, : pair.second], untold[0, : pair.second])
    assert (told - untold)[0, pair.second :].abs().sum(-1).min() > 1e-4
    both, _ = plain(encoder, LEFT[:1], RIGHT[:1])[0], None
    torch.testing.assert_close(encoder.run(told, mask)[0], both[1], atol=1e-5, rtol=1e-5)


def test_a_tokenizer_that_tells_no_second_segment_gives_one():
    """As mini's, and that of the multilingual MiniLM: types that are all 0."""
    encoder = tiny_encoder("bert")
    made = tokenize_pairs(encoder, LEFT, RIGHT)
    assert all(pair.second == len(pair.ids) for pair in made)
    tokens, mask = encoder.batch([pair.ids for pair in made])
    bare = encoder.embed(tokens, mask)
    assert torch.equal(encoder.embed(tokens, mask, [pair.second for pair in made]), bare)


def test_other_ways_to_mark_segments_are_refused():
    encoder = typed(tiny_encoder("bert"))
    encoder.tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s>:1 $A:0 $B:1", special_tokens=[("<s>", 2)]
    )
    with pytest.raises(UserError, match="marks segments"):
        tokenize_pairs(encoder, ["a"], ["b"])


def test_the_longer_text_is_cut_first():
    encoder = typed(tiny_encoder("bert"))
    long, short = "katze " * 60, "hund"
    for left, right in ((long, short), (short, long)):
        (pair,) = tokenize_pairs(encoder, [left], [right])
        kept = encoder.tokenizer.decode(pair.ids)
        assert len(pair.ids) == encoder.max_length and "hund" in kept and "katze" in kept


PASSAGE = "  der hund läuft im park, " + "und die katze schaut auf die matte " * 20


@pytest.mark.parametrize(("overlap", "types"), [(0, True), (4, True), (10_000, True), (4, False)])
def test_windows_cover_the_passage_and_know_their_characters(overlap, types):
    encoder = tiny_encoder("bert")
    encoder = typed(encoder) if types else encoder  # types that are all 0, as mini's
    made = tokenize_windows(encoder, ["die katze", "ein hund"], [PASSAGE, "ein park"], overlap)
    own = [window for window in made if window.owner == 0]
    assert len(own) > 3 and [window.owner for window in made] == [0] * len(own) + [1]
    seen = set()
    for window in own:
        assert len(window.ids) == len(window.places) <= encoder.max_length
        places = [place for place in window.places if place is not None]
        assert window.places[0] is None and places == sorted(places)
        assert all(PASSAGE[a:b] == PASSAGE[a:b].strip() != "" for a, b in places)
        begins = window.ids.index(encoder.tokenizer.sep_token_id) + 1
        assert window.second == (begins if types else len(window.ids))
        seen.update(i for a, b in places for i in range(a, b))
    assert {i for i, letter in enumerate(PASSAGE) if not letter.isspace()} == seen
    assert own[0].reach[0] == 0 and own[-1].reach[1] == len(PASSAGE)
    for one, other in pairwise(own):
        shared = {p for p in one.places if p} & {p for p in other.places if p}
        assert len(shared) == min(overlap, (encoder.max_length - encoder.max_length // 3) // 3)


def test_characters_are_found_where_the_window_has_them():
    encoder = typed(tiny_encoder("bert"))
    made = tokenize_windows(encoder, ["die katze"], [PASSAGE], 4)
    for start, stop in [(2, 5), (0, 10), (6, 7), (100, 130), (len(PASSAGE) - 6, len(PASSAGE))]:
        found = [window.find(start, stop) for window in made]
        assert any(place != (0, 0) for place in found)
        for window, (first, last) in zip(made, found, strict=True):
            whole = window.reach[0] <= start and stop <= window.reach[1]
            assert ((first, last) != (0, 0)) == whole
            if whole:  # the shortest run of tokens that holds all its letters
                begin, end = window.places[first], window.places[last]
                assert PASSAGE[start:stop].strip() in PASSAGE[begin[0] : end[1]]
                assert begin[1] > start and end[0] < stop
    assert made[0].find(5, 6) == (0, 0)  # a lone space has no token


def test_a_long_question_is_cut_and_the_passage_is_not():
    encoder = typed(tiny_encoder("bert"))
    made = tokenize_windows(encoder, ["zwei eins " * 40], [PASSAGE], 5)
    asked = made[0].second
    assert asked <= encoder.max_length // 3 + 4
    assert made[-1].reach[1] == len(PASSAGE)


def test_lower_case_keeps_every_character_in_its_place():
    encoder = typed(tiny_encoder("bert", pooling=Pooling(lower=True)))
    passage = "\u0130\u0130 Der HUND"  # a capital whose lower case is two characters
    (window,) = tokenize_windows(encoder, ["DIE KATZE"], [passage], 0)
    start = passage.index("HUND")
    first, last = window.find(start, start + 4)
    places = window.places[first], window.places[last]
    assert passage[places[0][0] : places[1][1]] == "HUND"
    (same,) = tokenize_windows(encoder, ["die katze"], [passage], 0)
    assert same.ids == window.ids


def test_nothing_in_nothing_out_and_a_slow_tokenizer_is_refused():
    encoder = tiny_encoder("bert")
    assert tokenize_pairs(encoder, [], []) == [] and tokenize_windows(encoder, [], [], 3) == []

    class Slow:
        is_fast = False

    encoder.tokenizer = Slow()
    with pytest.raises(UserError, match="which characters"):
        tokenize_windows(encoder, ["a"], ["b"], 3)


def test_pairs_that_are_cut_are_counted():
    pairs = [("ein hund", "die katze"), ("die katze " * 40, "ein hund"), ("a", "cat " * 90)]
    encoder = tiny_encoder()
    rows = tokenize_pairs(encoder, *map(list, zip(*pairs, strict=True)))
    with pytest.warns(CutNotice, match="^2 of 3 pairs are longer than the 48 tokens"):
        assert tell_cut_pairs(encoder, pairs, rows) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tell_cut_pairs(encoder, pairs[:1], rows[:1]) == 0 == tell_cut_pairs(encoder, [], [])
