from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_commands import Place, good, xadapt
from tiny_models import tiny_encoder
from tiny_tagging import train
from tiny_training import forward, tagged

from xadapt.backbones.encoder.encode import forward as forward_ids
from xadapt.backbones.encoder.windows import CutNotice, bounds
from xadapt.backbones.encoder.words import tokenize_words
from xadapt.composition.text import parse
from xadapt.core.errors import UserError
from xadapt.data.records import TaggedSentence
from xadapt.heads.head import Head
from xadapt.tasks import Tagger
from xadapt.tasks.tagging import MAJORITY, Part, scores

ROWS = [
    TaggedSentence(("a", "b", "c"), ((0, 2, "PER"),), "en"),
    TaggedSentence(("d", "e"), ((0, 1, "LOC"), (1, 2, "PER")), "en"),
    TaggedSentence(("f", "g"), (), "en"),
]
GOLD = [["B-PER", "I-PER", "O"], ["B-LOC", "B-PER"], ["O", "O"]]


def test_micro_f1_by_hand():
    said = [["B-PER", "O", "O"], ["B-LOC", "B-LOC"], ["O", "B-PER"]]
    result = Part.evaluate(ROWS, {"x": said, "gold": GOLD}, base="x", resamples=50)
    # found 4 spans, wanted 3, one right: a part of a span and a wrong type are no hits
    assert result["x"].scores["f1"].mean == pytest.approx(2 * 1 / (4 + 3))
    assert result["x"].details == {"LOC": pytest.approx(2 / 3), "PER": 0.0}
    assert result["gold"].scores["f1"].mean == 1 and result["gold"].gains[
        "f1"
    ].mean == pytest.approx(5 / 7)
    assert result[MAJORITY].scores["f1"].mean == 0 and result["x"].gains == {}
    assert (result.measures, result.count, result.facts["words"]) == (("f1",), 3, 7)
    row = result.to_dict()["rows"][1]
    assert row["gain"]["mean"] == row["gains"]["f1"]["mean"] == pytest.approx(5 / 7)
    assert row["score"] == row["scores"]["f1"] and row["by_type"] == row["details"]


def test_accuracy_by_hand():
    rows = [
        TaggedSentence(("a", "b", "c"), ((0, 1, "X"), (1, 2, "Y"), (2, 3, "X")), "en"),
        TaggedSentence(("d",), ((0, 1, "Y"),), "en"),
    ]
    result = Part.evaluate(rows, {"m": [["X", "X", "X"], ["Y"]]}, scheme="word", resamples=50)
    assert result.measures == ("accuracy",) and result["m"].scores["accuracy"].mean == 3 / 4
    assert result[MAJORITY].scores["accuracy"].mean == 2 / 4  # a tie: X stands first
    assert result["m"].details == {"X": pytest.approx(4 / 5), "Y": pytest.approx(2 / 3)}


def test_no_span_anywhere_is_no_division_by_zero():
    result = Part.evaluate([ROWS[2]], {"m": [["O", "O"]]}, resamples=20)
    assert result["m"].scores["f1"].mean == 0 and result["m"].details == {}


def test_wrong_lengths_and_nothing_are_refused():
    with pytest.raises(UserError, match="one label a word"):
        Part.evaluate(ROWS, {"m": [["O"], ["O", "O"], ["O"]]})
    with pytest.raises(UserError, match="no sentences"):
        Part.evaluate([], {})


def test_tagger_gives_each_sentence_its_own_composition(
    tmp_path: Path,
    made: tuple[Place, Path],
) -> None:
    place, folder = made
    good(*train(place, folder, tmp_path / "m", "--compose", f"{folder}/de + self"))
    tagger = Tagger.load(str(place.base), f"m={tmp_path}/m", f"de={folder}/de",
                         compose="by_language(de = de + m, * = m)", dtype="float32")  # fmt: skip
    rows = [row.words for row in tagged(10, seed=8)]
    tags = ["de", "sw"] * 5
    mixed = tagger.tag(rows, tags)
    apart = [tagger.tag([row], [tag])[0] for row, tag in zip(rows, tags, strict=True)]
    assert mixed == apart and [len(r) for r in mixed] == [len(r) for r in rows]


def test_tagger_needs_one_head(made: tuple[Place, Path], head: Path) -> None:
    place, folder = made
    with pytest.raises(UserError, match="none of these modules"):
        Tagger.load(str(place.base), f"{folder}/de")
    tagger = Tagger.load(str(place.base), str(head))
    assert len(tagger.tag([row.words for row in tagged(3)])) == 3


def test_scores_are_those_of_each_sentence_alone() -> None:
    encoder = tiny_encoder()
    torch.manual_seed(0)
    own = Head("tagging", ("O", "B-A", "I-A"), encoder.width)
    rows = [row.words for row in tagged(9)]
    found = scores(encoder, own, rows)
    for words, each in zip(rows, found, strict=True):
        (row,) = tokenize_words(encoder, [words])
        tokens, mask = encoder.batch([row.ids])
        with torch.no_grad():
            logs = own(forward(encoder, tokens, mask)[0]).log_softmax(-1)
        assert np.allclose(each, logs[list(row.first)].numpy(), atol=1e-5)


def test_each_word_has_the_scores_of_the_window_in_which_it_has_most_context() -> None:
    """The slow twin: every window alone, and for each word a search over all of them."""
    encoder = tiny_encoder()
    torch.manual_seed(0)
    own = Head("tagging", ("O", "B-A", "I-A"), encoder.width)
    rows = [["katze", "xyzzyxq", "die"] * 40, ["ein", "hund"], ["mbwa"] * 240, ["katze"]]
    found = scores(encoder, own, rows)
    tokens = encoder.tokenizer
    room = encoder.max_length - 2
    for words, each in zip(rows, found, strict=True):
        sizes = [len(tokens.tokenize(word)) for word in words]
        cuts = bounds(sizes, room, room // 4)
        for word in range(len(words)):
            here = [(a, b) for a, b in cuts if a <= word < b]
            context = [min(sum(sizes[a:word]), sum(sizes[word + 1 : b])) for a, b in here]
            a, b = here[context.index(max(context))]
            (row,) = tokenize_words(encoder, [words[a:b]])
            with torch.no_grad():
                states, _ = forward_ids(encoder, [row.ids])
            logs = own(states[0, row.first[word - a]]).log_softmax(-1)
            assert np.allclose(each[word], logs.detach().numpy(), atol=1e-5)


def test_a_sentence_in_one_window_has_the_same_scores_bit_for_bit_beside_long_ones() -> None:
    encoder = tiny_encoder()
    torch.manual_seed(0)
    own = Head("tagging", ("O", "B-A", "I-A"), encoder.width)
    full = ["katze"] * (encoder.max_length - 2)
    short = [row.words for row in tagged(9)]
    cut = scores(encoder, own, [*short, full])
    whole = scores(encoder, own, [*short, full + ["hund"] * 200])
    for one, other in zip(cut[:-1], whole[:-1], strict=True):
        assert np.array_equal(one, other)


def test_words_without_a_token_and_words_longer_than_a_window_are_told() -> None:
    encoder = tiny_encoder()
    own = Head("tagging", ("O", "B-A", "I-A"), encoder.width)
    with pytest.warns(CutNotice, match="1 word has no token in this base.*gets the label O"):
        (found,) = scores(encoder, own, [["katze", "", "hund"]])
    assert found[1].tolist() == [0, -1e4, -1e4] and found[2][1] > -100
    long = "xyzzyxq" * encoder.max_length
    with pytest.warns(CutNotice, match="1 word has more tokens than the 48 that the base reads"):
        (found,) = scores(encoder, own, [["katze", long, "hund"]])
    assert (found > -100).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert scores(encoder, own, [["katze"] * 240, []])[1].shape == (0, 3)
        assert scores(encoder, own, []) == []


def test_windows_of_a_sentence_act_with_its_own_composition(made: tuple[Place, Path],
    head: Path, tmp_path: Path) -> None:  # fmt: skip
    place, folder = made
    tagger = Tagger.load(str(place.base), f"m={head}", f"de={folder}/de",
                         compose="by_language(de = de + m, * = m)", dtype="float32")  # fmt: skip
    rows = [[word for row in tagged(30, seed=n) for word in row.words] for n in range(4)]
    assert all(len(words) > 100 for words in rows)
    tags = ["de", "sw", "sw", "de"]
    apart = [tagger.tag([row], [tag])[0] for row, tag in zip(rows, tags, strict=True)]
    assert tagger.tag(rows, tags) == apart
    value, other = tagger.adapted.composition, parse("de + m")
    mixed = tagger.tag(rows[:2], compositions=[other, parse("m")])
    assert mixed == [tagger.tag([rows[0]], "de")[0], tagger.tag([rows[1]], "sw")[0]] and value


def command_line(place: Place, data: Path, *more: object) -> tuple[object, ...]:
    return ("evaluate", "tagging", "--base", place.base, "--data", data, *more)


def test_a_table_for_people(made: tuple[Place, Path], head: Path) -> None:
    place, folder = made
    done = good(*command_line(place, folder / "test.conll", "--module", head))
    assert "30 sentences" in done.out and "most frequent label" in done.out
    assert "F1 by type: ANIMAL" in done.out
    assert all(len(line) <= 80 for line in done.out.splitlines())


def test_labels_the_head_lacks_are_told(
    made: tuple[Place, Path],
    head: Path,
    tmp_path: Path,
) -> None:
    place, folder = made
    text = (folder / "test.conll").read_text(encoding="utf-8")
    some = tmp_path / "some.conll"
    some.write_text(text + "\nx\tB-PLANT\n", encoding="utf-8")
    done = good(*command_line(place, some, "--module", head))
    assert "no label B-PLANT" in done.err
    none = tmp_path / "none.conll"
    none.write_text(text.replace("ANIMAL", "PLANT"), encoding="utf-8")
    done = xadapt(*command_line(place, none, "--module", head))
    assert done.code == 2 and "knows none of the data's labels" in done.err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--format", "conllx"), "did you mean 'conll"),
        (("--format", "conllu"), "ten columns"),
        (("--compose", "{folder}/de"), "none of these modules has a task head"),
        (("--compose", "nowhere"), "no such module folder"),
        (("--emea", "2", "--baseline", "{head}"), "--baseline: EMEA"),
        (("--emea", "2", "--against", "{head}"), "--baseline: EMEA"),
    ],
)
def test_mistakes_are_one_line(
    made: tuple[Place, Path],
    head: Path,
    more: tuple[str, ...],
    said: str,
) -> None:
    place, folder = made
    given = [part.format(folder=folder, head=head) for part in more]
    data = folder / "test.conll"
    own = [] if "--compose" in given else ["--module", head]
    done = xadapt(*command_line(place, data, *own, *given))
    assert done.code == 2 and said in done.err and len(done.lines) == 1, done.err


def test_data_of_another_scheme_is_refused(
    made: tuple[Place, Path],
    head: Path,
    tmp_path: Path,
) -> None:
    place, _ = made
    file = tmp_path / "a.conllu"
    file.write_text("1\tdie\t_\tDET\t_\t_\t_\t_\t_\t_\n", encoding="utf-8")
    done = xadapt(*command_line(place, file, "--module", head, "--format", "conllu"))
    assert done.code == 2 and "knows none" in done.err


@pytest.mark.parametrize("wrong", ["Guten Tag", ["Guten", "Tag"], [["Guten"], "Tag"], [[1]]])
def test_text_that_is_not_cut_into_words_is_refused(
    made: tuple[Place, Path], head: Path, wrong: Any
) -> None:
    tagger = Tagger.load(str(made[0].base), head)
    with pytest.raises(UserError, match="word"):
        tagger.tag(wrong)
    rows = [row.words for row in tagged(3)]
    assert tagger.tag(rows, "de") == tagger.tag(rows, ["de"] * 3)
