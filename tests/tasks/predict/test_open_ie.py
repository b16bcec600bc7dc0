from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_commands import Place
from tiny_counts import Counts
from tiny_models import tiny_encoder
from tiny_training import module_for, shaken, tagged

from xadapt.core.errors import UserError
from xadapt.data.records import ROLES, OpenTriples
from xadapt.functional.tag_scheme import labels_of
from xadapt.heads.head import ArgumentHead, Head, asked
from xadapt.hub.opening import read_manifest
from xadapt.inference.adapted_encoder import Adapted
from xadapt.tasks.predict import Extractor
from xadapt.tasks.predict.open_ie import ArgumentFinder, argument_spans, tuples
from xadapt.tasks.predict.tagger import Tagger


def test_triples_of_sentences(taggers: tuple[Place, Path]) -> None:
    place, folder = taggers
    extractor = Extractor.load(
        str(place.base), predicates=f"{folder}/p", arguments=f"{folder}/a", dtype="float32"
    )
    words = ["katze", "sitzt", "matte", "und", "läuft", "park"]
    (row,) = extractor.extract([words], ["de"])
    assert row.lang == "de" and all(len(spans) > 1 for spans in row.extractions)
    places = extractor.predicates([words])
    assert places == [[(1, 2), (4, 5)]]
    assert tuples(row) == [("katze", "sitzt", "matte"), ("katze", "läuft", "park")]
    again = extractor.finder.find([words], places)
    assert [tuple(own) for own in again] == [row.extractions]
    assert extractor.finder.adapted.encoder is extractor.tagger.adapted.encoder


def test_alone_and_in_a_batch_say_the_same(taggers: tuple[Place, Path]) -> None:
    place, folder = taggers
    extractor = Extractor.load(
        str(place.base), predicates=f"{folder}/p", arguments=f"{folder}/a", dtype="float32"
    )
    rows = [["hund", "läuft", "park"], ["katze"], ["die", "katze", "schaut", "hund", "und", "x"]]
    together = extractor.extract(rows)
    assert together == [extractor.extract([row])[0] for row in rows]


def test_the_last_stage_brings_the_head(taggers: tuple[Place, Path]) -> None:
    place, folder = taggers
    assert read_manifest(folder / "a2").trained_inside == ["a + self"]
    both = {"arguments": [f"a={folder}/a", f"two={folder}/a2"], "compose_arguments": "a + two"}
    staged = Extractor.load(str(place.base), predicates=f"{folder}/p", dtype="float32", **both)
    alone = Extractor.load(
        str(place.base), predicates=f"{folder}/p", arguments=f"{folder}/a2", dtype="float32"
    )
    for name, value in staged.finder.head.state_dict().items():
        assert torch.equal(value, alone.finder.head.state_dict()[name])


@pytest.mark.parametrize(
    ("predicates", "arguments", "said"),
    [
        ("a", "a", "none of these modules has a head for tagging"),
        ("p", "p", "none of these modules has a head for arguments"),
        ("nowhere", "a", "no such module folder"),
    ],
)
def test_modules_with_other_heads_are_refused(
    taggers: tuple[Place, Path], predicates: str, arguments: str, said: str
) -> None:
    place, folder = taggers
    with pytest.raises(UserError, match=said):
        Extractor.load(
            str(place.base), predicates=f"{folder}/{predicates}", arguments=f"{folder}/{arguments}"
        )


def head_for(encoder: object, labels: dict[int, str]) -> ArgumentHead:
    """A head that says by its distance to the predicate alone what a word is."""
    head = ArgumentHead(labels_of(ROLES, "bio"), encoder.width, hidden=41, distance=41, clip=20)
    with torch.no_grad():
        for value in head.parameters():
            value.zero_()
        head.distance.weight.copy_(torch.eye(41))
        head.hidden.weight[:, -41:] = 10 * torch.eye(41)
        for far, label in labels.items():
            head.linear.weight[head.labels.index(label), far + 20] = 1.0
        head.linear.bias[0] = 1.0
    return head


def test_spans_are_read_by_hand() -> None:
    """The A1 beside the predicate is surer than the one further on; no ``I`` follows ``O``."""
    encoder = tiny_encoder()
    labels = {-3: "I-A0", -2: "B-A0", -1: "I-A0", 0: "B-A2", 1: "B-A1", 2: "I-A1", 4: "B-A1"}
    head = head_for(encoder, labels)
    with torch.no_grad():
        head.linear.weight[head.labels.index("B-A1"), 24] = 0.5
    words = ["x"] * 9
    (own,) = argument_spans(encoder, head, [words], [[(3, 4), (8, 9)]])
    assert own[0] == ((3, 4, "P"), (1, 3, "A0"), (4, 6, "A1"))
    assert own[1] == ((8, 9, "P"), (6, 8, "A0"))
    assert argument_spans(encoder, head, [words, []], [[], []]) == [[], []]


def test_distances_are_signed_and_zero_inside() -> None:
    query = asked(2, [1, None, 2, 3, 5], 2, 4)
    assert query is not None and query.row == 2 and query.words == [0, 2, 3, 4]
    assert query.distances == [-2, 0, 0, 1] and query.predicate == [2, 3]
    assert query.at == [1, 2, 3, 5]
    assert asked(0, [1, None], 1, 2) is None


def test_a_predicate_that_was_cut_off_has_no_arguments() -> None:
    encoder = tiny_encoder()
    head = head_for(encoder, {-1: "B-A0"})
    words = ["katze"] * (encoder.max_length + 10)
    (own,) = argument_spans(encoder, head, [words], [[(len(words) - 1, len(words)), (1, 2)]])
    assert own == [((len(words) - 1, len(words), "P"),), ((1, 2, "P"), (0, 1, "A0"))]


def test_tuples_leave_an_empty_subject() -> None:
    row = OpenTriples(("No", "compró", "casas"), (((0, 2, "P"), (2, 3, "A1")),), "es")
    assert tuples(row) == [("", "No compró", "casas")]
    assert np.shape(tuples(row)) == (1, 3)


def test_both_taggers_share_what_lies_below_their_modules(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoder = tiny_encoder()
    heads = Head("tagging", ("O", "B-P", "I-P"), encoder.width), head_for(encoder, {1: "B-A1"})
    modules = [
        shaken(module_for(encoder, rank=2, layers=layers), seed)
        for seed, layers in enumerate(([3, 4], [2, 4]))
    ]
    first, second = (Adapted(encoder, {"m": module}, "m") for module in modules)
    extractor = Extractor(Tagger(first, heads[0]), ArgumentFinder(second, heads[1]))
    sentences = list(dict.fromkeys(row.words for row in tagged(9)))
    apart = extractor.finder.find(sentences, extractor.predicates(sentences))
    counts = Counts(monkeypatch)
    told = extractor.extract(sentences)
    assert [row.extractions for row in told] == [
        tuple(spans for spans in own if len(spans) > 1) for own in apart
    ]
    assert counts.taken() == {0: len(sentences), 2: 2 * len(sentences)}


def test_text_that_is_not_cut_into_words_is_no_sentence(taggers: tuple[Place, Path]) -> None:
    place, folder = taggers
    extractor = Extractor.load(
        str(place.base), predicates=folder / "p", arguments=[folder / "a"], dtype="float32"
    )
    words = ["katze", "sitzt", "matte"]
    for wrong in ("katze sitzt", words):
        with pytest.raises(UserError, match="list of words"):
            extractor.extract(wrong)  # type: ignore[arg-type]
        with pytest.raises(UserError, match="list of words"):
            extractor.finder.find(wrong, [[(1, 2)]])  # type: ignore[arg-type]
    with pytest.raises(UserError, match="1 sentences and predicates of 2"):
        extractor.finder.find([words], [[(1, 2)], []])
    assert extractor.extract([words, words], "de") == extractor.extract([words, words], ["de"] * 2)
