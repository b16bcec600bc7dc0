from __future__ import annotations

import datasets
import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.in_memory import InMemory
from xadapt.data.readers.memory_records import language_of, read_in_memory
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.sides import Request
from xadapt.data.records import (
    LabelledText,
    ParallelPair,
    ParsedSentence,
    PlainText,
    Question,
    ScoredPair,
    TaggedSentence,
    Triple,
)

REQUEST = Request("sw", "sw")


def read(reader, data, request=REQUEST, columns=None, notes=None):
    return list(read_in_memory(InMemory(data, columns), reader, request, notes or Notes()))


def test_pairs_of_tuples_dicts_and_records() -> None:
    request = Request("sw", "en")
    wanted = [ParallelPair("moja", "one", "sw"), ParallelPair("mbili", "two", "sw")]
    assert read("parallel", [("one", " moja "), ("two", "mbili")], request) == wanted
    nested = [{"translation": {"en": "one", "sw": "moja"}},
              {"translation": {"en": "two", "sw": "mbili"}}]  # fmt: skip
    assert read("parallel", nested, request) == wanted
    assert read("parallel", wanted, request)[0] is wanted[0]
    swapped = [("moja", "one"), ("mbili", "two")]
    assert read("parallel", swapped, request, columns="2,1") == wanted


def test_each_record_of_dicts_and_of_tuples() -> None:
    words, tags = ["Amina", "anaishi"], ["B-PER", "O"]
    spans = TaggedSentence(("Amina", "anaishi"), ((0, 1, "PER"),), "sw")
    tree = {"tokens": ["a", "b"], "upos": ["X", "Y"], "heads": [0, 1], "deprel": ["root", "dep"]}
    parsed = ParsedSentence(("a", "b"), ("X", "Y"), (0, 1), ("root", "dep"), "sw")
    squad = {"question": "q", "context": "the cat", "answers": {"text": ["cat"],
             "answer_start": [4]}}  # fmt: skip
    question = Question("q", "the cat", ((4, "cat"),), "sw")
    for reader, rows, wanted in (
        ("plain_text", ["moja", "", "  "], [PlainText("moja", "sw")]),
        ("plain_text", [{"text": "moja"}], [PlainText("moja", "sw")]),
        ("labelled_text", [("moja", "x")], [LabelledText("moja", "x", "sw")]),
        ("labelled_text", [{"tweet": "moja", "sentiment": 2.0}], [LabelledText("moja", "2", "sw")]),
        ("labelled_text", [("moja", True)], [LabelledText("moja", "True", "sw")]),
        ("scored_pairs", [("a", "b", 4)], [ScoredPair("a", "b", 4.0, "sw", "sw")]),
        ("scored_pairs", [{"sentence1": "a", "sentence2": "b", "score": "4.5"}],
         [ScoredPair("a", "b", 4.5, "sw", "sw")]),
        ("conll", [(words, tags)], [spans]),
        ("conll", [{"tokens": words, "ner_tags": tags, "id": 3}], [spans]),
        ("conllu", [(["a", "b"], ["X", "Y"])],
         [TaggedSentence(("a", "b"), ((0, 1, "X"), (1, 2, "Y")), "sw")]),
        ("conllu_trees", [tree], [parsed]),
        ("squad", [squad], [question]),
        ("squad", [{**squad, "answers": [{"text": "cat", "answer_start": 4}]}], [question]),
        ("squad", [{**squad, "answers": [(4, "cat")]}], [question]),
    ):  # fmt: skip
        assert read(reader, rows) == wanted, reader


def test_numbers_with_names_and_without() -> None:
    labels = datasets.ClassLabel(names=["O", "B-LOC"])
    features = datasets.Features(
        {"tokens": datasets.Sequence(datasets.Value("string")),
         "ner_tags": datasets.Sequence(labels)}
    )  # fmt: skip
    data = datasets.Dataset.from_dict({"tokens": [["a", "b"]], "ner_tags": [[0, 1]]}, features)
    [sentence] = read("conll", data)
    assert sentence.spans == ((1, 2, "LOC"),)
    outside = datasets.Dataset.from_dict({"tokens": [["a"]], "ner_tags": [[-1]]}, features)
    with pytest.raises(UserError, match="the label -1 has no name"):
        read("conll", outside)
    with pytest.raises(UserError, match="'0' is a number without a name"):
        read("conll", [(["a", "b"], [0, 1])])


@pytest.mark.parametrize(
    ("reader", "row", "said"),
    [
        ("labelled_text", (None, "x"), "the text is empty"),
        ("labelled_text", ("a", None), "the label is empty"),
        ("labelled_text", ("a", 1.5), "the label is float, not a name"),
        ("labelled_text", (b"a", "x"), "the text is bytes, not text"),
        ("labelled_text", ("a\ud800", "x"), "half a surrogate pair"),
        ("scored_pairs", ("a", "b", "much"), "the score 'much' is no number"),
        ("scored_pairs", ("a", "b", float("nan")), "the score None is no number"),
        ("conll", (["a", "b"], ["O"]), "there are 2 words and 1 tags"),
        ("conll", ("a b", ["O", "O"]), "the words are str, not a list"),
        ("conll", ([], []), "the words are empty"),
        ("conll", (["a", None], ["O", "O"]), "the word is empty"),
        ("conll", (["a"], ["NN"]), "'NN' is no BIO tag"),
        ("squad", ("q", "the cat", {"text": ["dog"], "answer_start": [4]}), "does not stand at"),
        ("squad", ("q", "the cat", {"text": [], "answer_start": []}), "has no answer"),
        ("squad", ("q", "the cat", "cat"), "the answers are not texts with their place"),
        ("squad", ("q", "the cat", {"text": [3], "answer_start": [4]}), "an answer is not text"),
        ("conllu_trees", (["a"], ["X"], [2], ["root"]), "the heads are not word numbers"),
        ("conllu_trees", (["a"], ["X", "Y"], [0], ["root"]), "differ in length"),
        ("parallel", ("one", 3), "a column holds int, not text"),
        ("parallel", ("one", ""), "the sw side of this row is empty"),
        ("parallel", None, "this row is None"),
    ],
)
def test_a_faulty_row_is_refused_alone_and_skipped_among_good_ones(reader, row, said) -> None:
    good = {
        "labelled_text": ("a", "x"), "scored_pairs": ("a", "b", 1), "conll": (["a"], ["O"]),
        "squad": ("q", "the cat", [(4, "cat")]), "parallel": ("one", "moja"),
        "conllu_trees": (["a"], ["X"], [0], ["root"]),
    }[reader]  # fmt: skip
    request, notes = Request("sw", "en"), Notes()
    with pytest.raises(UserError, match=said):
        read(reader, [row], request)
    assert len(read(reader, [good, row, good], request, notes=notes)) == 2
    assert any("1 of 3 rows skipped; the first, in-memory:2: " in line for line in notes.lines)


def test_records_of_another_kind_or_language_are_refused() -> None:
    pair = ParallelPair("moja", "one", "sw")
    with pytest.raises(UserError, match="this row is ParallelPair, and the recipe reads LabelledT"):
        read("labelled_text", [pair])
    with pytest.raises(UserError, match="this record is in sw, and the language is de"):
        read("parallel", [pair], Request("de", "en"))
    with pytest.raises(UserError, match="in-memory:2: this row is dict, and the recipe reads Par"):
        read("parallel", [pair, ("one", "moja")], Request("sw", "en"))
    with pytest.raises(UserError, match="the text is empty"):
        read("labelled_text", [LabelledText(" ", "x", "sw")])
    for nothing in ([], [""], ()):
        with pytest.raises(UserError, match="there is no row in these data"):
            read("plain_text", nothing)


def test_language_of_a_record() -> None:
    assert language_of(ScoredPair("a", "b", 1.0, "sw", "en")) == "sw"
    assert language_of(Triple("a", "b", "c")) is None
