from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_commands import Place, good
from tiny_commands import xadapt as command
from tiny_counts import Counts
from tiny_models import tiny_encoder
from tiny_training import module_for, shaken, tagged

import xadapt
from xadapt.core.errors import UserError
from xadapt.data.records import ROLES, OpenTriples
from xadapt.functional.tag_scheme import labels_of
from xadapt.heads.argument_head import ArgumentHead, asked
from xadapt.heads.head import Head
from xadapt.hub.opening import read_manifest
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.tasks import Extractor
from xadapt.tasks.open_ie import (
    GIVEN,
    LEFT_RIGHT,
    ArgumentFinder,
    Extracted,
    Part,
    argument_spans,
    left_and_right,
    left_and_right_of,
    tuples,
)
from xadapt.tasks.tagging import Tagger

P, A0, A1, A2 = "P", "A0", "A1", "A2"
GOLD = [
    OpenTriples(
        ("Ada", "wrote", "code", "and", "slept", "at", "night", "."),
        (
            ((1, 2, P), (0, 1, A0), (2, 3, A1)),
            ((4, 5, P), (0, 1, A0), (5, 7, A1)),
        ),
        "en",
    ),
    OpenTriples(("Bob", "ran"), (((1, 2, P), (0, 1, A0)),), "en"),
]


def right():
    return Part.oracle(GOLD)


def extracted(found, given):
    return [Extracted(*both) for both in zip(found, given, strict=True)]


def means(result, system):
    return {measure: score.mean for measure, score in result[system].scores.items()}


def test_what_is_right_has_one():
    assert set(means(Part.evaluate(GOLD, {"x": right()}, resamples=10), "x").values()) == {1.0}


def test_numbers_by_hand():
    """Predicates: 2 of 3, one of 3 found is wrong. Arguments: 2 right of 4 said, 5 wanted."""
    found = [
        (((1, 2, P), (0, 1, A0), (2, 3, A1)), ((3, 5, P), (0, 1, A0))),
        (((1, 2, P), (0, 1, A2)),),
    ]
    given = [
        (((1, 2, P), (0, 1, A0), (2, 3, A1)), ((4, 5, P), (0, 1, A0), (5, 6, A1))),
        (((1, 2, P),),),
    ]
    told = means(Part.evaluate(GOLD, {"x": extracted(found, given)}, resamples=10), "x")
    assert told == {
        "predicates": pytest.approx(2 * 2 / (3 + 3)),
        GIVEN: pytest.approx(2 * 3 / (5 + 4)),
        "arguments": pytest.approx(2 * 2 / (5 + 4)),
        "triples": pytest.approx(2 * 1 / (3 + 3)),
    }


def test_a_predicate_without_arguments_is_no_triple():
    found = [(((1, 2, P), (0, 1, A0), (2, 3, A1)),), (((0, 1, P),),)]
    told = means(
        Part.evaluate(
            GOLD, {"x": extracted(found, [row.extractions for row in GOLD])}, resamples=10
        ),
        "x",
    )
    assert told["triples"] == pytest.approx(2 * 1 / (3 + 1))
    assert told["predicates"] == pytest.approx(2 * 1 / (3 + 2))


def test_a_role_counts():
    """The right words with the wrong role are no argument, whatever else is right."""
    swap = {A0: A1, A1: A0, P: P}
    found = [
        tuple(tuple((s, e, swap[r]) for s, e, r in spans) for spans in row.extractions)
        for row in GOLD
    ]
    told = Part.evaluate(GOLD, {"x": extracted(found, found)}, resamples=10)
    assert means(told, "x") == {"predicates": 1, GIVEN: 0, "arguments": 0, "triples": 0}
    assert told["x"].details == {A0: 0, A1: 0}


def test_differences_are_paired():
    nothing = extracted([(), ()], [(), ()])
    result = Part.evaluate(GOLD, {"a": nothing, "b": right()}, base="a", resamples=50)
    assert result["a"].gains == {} and result["a"].more["gain"] is None
    assert {gain.mean for gain in result["b"].gains.values()} == {1.0}
    row = json.loads(json.dumps(result.to_dict()))["rows"][1]
    assert row["gain"]["triples"]["low"] == 1.0 and row["by_role"] == {A0: 1.0, A1: 1.0}


def test_the_control_reads_words_alone():
    words = GOLD[0].words
    assert left_and_right(words, [(1, 2), (4, 5)]) == (
        ((1, 2, P), (0, 1, A0), (2, 4, A1)),
        ((4, 5, P), (2, 4, A0), (5, 7, A1)),
    )
    assert left_and_right(("ran", ",", "x"), [(0, 1)]) == (((0, 1, P),),)
    found = extracted([(((1, 2, P),),), ()], [(), ()])
    control = left_and_right_of(GOLD, found)
    assert [one.found for one in control] == [(((1, 2, P), (0, 1, A0), (2, 7, A1)),), ()]
    result = Part.evaluate(GOLD, {LEFT_RIGHT: control}, resamples=10)
    assert means(result, LEFT_RIGHT)[GIVEN] == pytest.approx(2 * 3 / (5 + 5))


def test_mistakes():
    with pytest.raises(UserError, match="no sentences"):
        Part.evaluate([], {})
    with pytest.raises(UserError, match="one answer"):
        Part.evaluate(GOLD, {"x": [Extracted((), ())]})


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
    first, second = (AdaptedEncoder(encoder, {"m": module}, "m") for module in modules)
    extractor = Extractor(Tagger(first, heads[0]), ArgumentFinder(second, heads[1]))
    sentences = list(dict.fromkeys(row.words for row in tagged(9)))
    apart = extractor.finder.find(sentences, extractor.predicates(sentences))
    counts = Counts(monkeypatch)
    told = extractor.extract(sentences)
    assert [row.extractions for row in told] == [
        tuple(spans for spans in own if len(spans) > 1) for own in apart
    ]
    assert counts.taken() == {0: len(sentences), 2: 2 * len(sentences)}


def command_line(place: Place, folder: Path, *more: object) -> tuple[object, ...]:
    given = ("--base", place.base, "--data", folder / "test.conllu", "--lang", "de")
    own = () if "--predicates" in more else ("--predicates", folder / "p")
    return ("evaluate", "open_ie", *given, *own, "--arguments", folder / "a", *more)


def test_a_table_for_people(taggers: tuple[Place, Path], tmp_path: Path) -> None:
    place, folder = taggers
    done = good(*command_line(place, folder, "--dtype", "float32", "--json", tmp_path / "r.json"))
    assert "20 sentences, 40 triples by rule" in done.out and "left and right" in done.out
    assert all(len(line) <= 80 for line in done.out.splitlines())
    said = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    rows = {row["system"]: row["scores"] for row in said["rows"]}
    assert rows["module"]["predicates"]["mean"] > 0.9 and rows["module"]["triples"]["mean"] > 0.7
    assert rows["left and right"]["triples"]["mean"] < 0.6
    assert said["task"] == "open_ie" and said["data"] == "test.conllu"


def test_another_tagger_beside_it(taggers: tuple[Place, Path]) -> None:
    place, folder = taggers
    result = xadapt.evaluate(
        "open_ie",
        base=str(place.base),
        data=folder / "test.conllu",
        predicates=folder / "p",
        arguments=[f"a={folder}/a", f"two={folder}/a2"],
        compose_arguments="a + two",
        baseline_arguments=folder / "a",
        dtype="float32",
    )
    assert [row.system for row in result.rows] == ["baseline", "module", "left and right"]
    gain = result["module"].gains
    assert gain["predicates"].mean == 0
    for name in ("arguments", "triples"):
        values = [result[system].scores[name].mean for system in ("baseline", "module")]
        assert gain[name].mean == pytest.approx(values[1] - values[0])


def test_the_evidence_is_told_again(taggers: tuple[Place, Path], tmp_path: Path) -> None:
    _, folder = taggers
    (told,) = read_manifest(folder / "a").evidence
    assert told.metric == "f1 of arguments given predicates" and told.rows == 6
    assert told.value > told.controls["left and right"] - 0.2
    card = (folder / "a" / "README.md").read_text(encoding="utf-8")
    assert "no other library has such a head" in card
    assert "--predicates OTHER --arguments FOLDER" in card


def test_mistakes_are_one_line(taggers: tuple[Place, Path], tmp_path: Path) -> None:
    place, folder = taggers
    bad = tmp_path / "x.conllu"
    bad.write_text("1\ta\t_\tNOUN\t_\t_\t1\tdep\t_\t_\n", encoding="utf-8")
    for more, said in (
        (("--data", bad), "x.conllu:1: this word hangs in a circle"),
        (("--predicates", folder / "a"), "none of these modules has a head for tagging"),
        (("--compose-predicates", "mix("), "composition"),
    ):
        done = command(*command_line(place, folder, *more))
        assert done.code == 2 and said in done.err and len(done.lines) == 1, done.err


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
