"""Synthetic languages: one-to-one scripts, orders with their labels, dictionaries, a tokenizer."""

from __future__ import annotations

import random

import pytest
from pydantic import ValidationError
from tokenizers import Tokenizer, models, pre_tokenizers

from xadapt.config.recipe import strict
from xadapt.core.errors import UserError
from xadapt.data.records import ParsedSentence, PlainText, TaggedSentence, WordPair
from xadapt.data.transforms.protocol import Services
from xadapt.data.transforms.synthetic_language import (
    MARKS,
    SyntheticLanguage,
    french_order,
    from_script,
    moved_spans,
    new_order,
    to_script,
)

SERVICES = Services("qaa")


def test_the_script_changes_one_to_one_and_back():
    text = "The Cat sat, twice: 17 times (é ß)!"
    other = to_script(text)
    assert from_script(other) == text and len(other) == len(text)
    assert {c for c in other if c.isascii()} == {" "}
    every = "".join(map(chr, range(33, 127)))
    assert len(set(to_script(every))) == len(every) == 94
    assert set(MARKS) == {c for c in every if not c.isalnum()}
    assert to_script("AbC").lower() == to_script("abc")  # casing stays casing


def test_a_tokenizer_with_both_scripts_adds_the_size_of_its_vocabulary():
    pieces = ["the", "cat", "##s", "s", "##a", "##t", ".", "c"]
    mirrored = ["##" + to_script(p[2:]) if p.startswith("##") else to_script(p) for p in pieces]
    words = {piece: i for i, piece in enumerate(["[UNK]", *pieces, *mirrored])}
    core = Tokenizer(models.WordPiece(words, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    row = PlainText("the cats sat.", "en")
    [made] = SyntheticLanguage(order="same").apply([row], SERVICES)
    ids = core.encode(row.text).ids
    assert 0 not in ids and core.encode(made.text).ids == [i + len(pieces) for i in ids]


def test_orders_by_hand():
    assert new_order(4, "inversion", random.Random(0)) == [3, 2, 1, 0]
    assert new_order(3, "same", random.Random(0)) == [0, 1, 2]
    shuffled = new_order(20, "permutation", random.Random(0))
    assert sorted(shuffled) == list(range(20)) != shuffled


def test_labels_move_with_their_words():
    row = TaggedSentence(("Ann", "Lee", "saw", "Rome"), ((0, 2, "PER"), (3, 4, "LOC")), "en")
    [made] = SyntheticLanguage(records="tagged", script=False).apply([row], SERVICES)
    assert made.words == ("Rome", "saw", "Lee", "Ann")
    assert made.spans == ((0, 1, "LOC"), (2, 4, "PER"))
    for order in ("inversion", "permutation"):
        [made] = SyntheticLanguage(records="tagged", script=True, order=order).apply(
            [row], SERVICES
        )
        labels = {from_script(made.words[i]): t for a, b, t in made.spans for i in range(a, b)}
        assert labels == {"Ann": "PER", "Lee": "PER", "Rome": "LOC"}


def test_a_span_whose_words_part_becomes_several():
    assert moved_spans(((0, 2, "PER"),), [0, 2, 1]) == ((0, 1, "PER"), (2, 3, "PER"))


def test_equal_sentences_are_permuted_alike_and_other_seeds_otherwise():
    row = PlainText("a b c d e f g h", "en")
    make = SyntheticLanguage(order="permutation", script=False)
    one, two = make.apply([row, row], SERVICES)
    assert one == two
    assert make.apply([row], Services("qaa", seed=1))[0] != one


def test_pairs_and_dictionary():
    rows = [PlainText("the cat, the dog", "en")]
    [pair] = SyntheticLanguage(records="pairs").apply(rows, SERVICES)
    assert pair.pivot == "the cat , the dog" and pair.pivot_lang == "en"
    assert from_script(pair.text) == "dog the , cat the"
    entries = SyntheticLanguage(records="words").apply(rows, SERVICES)
    assert entries[0] == WordPair(to_script("the"), "the", "qaa")
    assert [e.pivot for e in entries] == ["the", ",", "cat", "dog"]


def tree(words, upos, heads, relations):
    return ParsedSentence(
        *(tuple(x.split()) for x in (words, upos)), heads, tuple(relations.split()), "en"
    )


def test_french_order_by_hand():
    row = tree(
        "a big red car often sees her", "DET ADJ ADJ NOUN ADV VERB PRON",
        (4, 4, 4, 6, 6, 0, 6), "det amod amod nsubj advmod root obj",
    )  # fmt: skip
    assert [row.words[i] for i in french_order(row)] == [
        "a",
        "car",
        "red",
        "big",
        "her",
        "sees",
        "often",
    ]
    [made] = SyntheticLanguage(records="trees", script=False, order="french").apply([row], SERVICES)
    assert made.upos == ("DET", "NOUN", "ADJ", "ADJ", "PRON", "VERB", "ADV")
    both = zip(made.words, made.heads, strict=True)
    heads = {w: made.words[h - 1] if h else "" for w, h in both}
    assert heads == {"a": "car", "big": "car", "red": "car", "car": "sees", "often": "sees",
                     "sees": "", "her": "sees"}  # fmt: skip


def test_words_move_with_what_depends_on_them():
    row = tree("very red cars", "ADV ADJ NOUN", (2, 3, 0), "advmod amod root")
    assert [row.words[i] for i in french_order(row)] == ["cars", "very", "red"]


def test_heads_that_are_no_tree_are_refused():
    with pytest.raises(UserError, match="no tree"):
        french_order(tree("a b", "X X", (2, 1), "dep dep"))


def test_french_needs_trees():
    with pytest.raises(ValidationError, match="needs dependency trees"):
        strict(SyntheticLanguage).validate_python({"order": "french"})
