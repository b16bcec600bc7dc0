"""Open NER: spans by hand, thresholds, names of labels, long sentences, and wrong inputs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tiny_folders import manifest_of, random_module
from tiny_models import tiny_folder
from tiny_tagging import write_conll
from tiny_training import tagged

import xadapt
from xadapt.backbones.encoder.encode import token_states
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.label_prefix import LabelPrefix
from xadapt.backbones.encoder.words import tokenize_words
from xadapt.core.errors import UserError
from xadapt.data.records import TaggedSentence
from xadapt.heads.span_label_head import SpanLabelHead
from xadapt.hub.folder import write_folder
from xadapt.tasks.open_ner import SEEN, UNSEEN, Part, renamed
from xadapt.tasks.span_labeller import SpanLabeller, best_threshold, probabilities

ROWS = [
    TaggedSentence(("Ada", "in", "Rom"), ((0, 1, "person"), (2, 3, "Ort")), "de"),
    TaggedSentence(("Bo", "schläft"), ((0, 1, "person"),), "de"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base, and a module with a random head of spans."""
    folder = tmp_path_factory.mktemp("open")
    tiny_folder(folder / "base")
    encoder = Encoder.from_pretrained(str(folder / "base"))
    module = random_module(encoder, "lora", rank=2)
    torch.manual_seed(3)
    head = SpanLabelHead(["animal", "person"], encoder.width, hidden=8, distance=4, clip=6)
    made = manifest_of(
        encoder, module, base={"model_type": "bert", "fingerprint": encoder.identity.to_dict()},
        languages=["de"],
    )  # fmt: skip
    write_folder(folder / "m", module, encoder, made, verify={}, head=head, loaders="all")
    write_conll(folder / "test.conll", tagged(25, seed=3))
    return folder


@pytest.fixture(scope="module")
def labeller(place: Path) -> SpanLabeller:
    return SpanLabeller.load(str(place / "base"), place / "m")


def test_probabilities_are_those_of_one_plain_forward(labeller: SpanLabeller) -> None:
    encoder, head = labeller.adapted.encoder, labeller.head
    words, labels = ("katze", "sitzt", "hund"), ["animal", "park"]
    rows = labeller.adapted.activations(1, None)
    [found] = probabilities(encoder, head, [words], labels, rows)
    prefix = LabelPrefix.of(encoder.tokenizer, labels)
    [own] = tokenize_words(encoder, [words])
    ids = [prefix.before(own.ids, 1)]
    [(_, states)] = list(token_states(encoder, ids, rows=labeller.adapted.activations(1, None)))
    places = [own.first[i] + len(prefix) for i in range(3)]
    every = [(i, j) for i in range(3) for j in range(i, 3) if places[j] - places[i] < 6]
    spans = [(places[i], places[j]) for i, j in every]
    texts = head.label_vectors(states[:, [1 + mark for mark in prefix.marks]])
    [scores] = head.span_scores(states, texts, [spans])
    wanted = {
        (i, j + 1, label): float(scores[at, number].sigmoid())
        for at, (i, j) in enumerate(every)
        for number, label in enumerate(labels)
    }
    assert {span: p for p, span in found} == pytest.approx(
        {span: p for span, p in wanted.items() if p >= 0.01}, abs=1e-5
    )


def test_sentences_apart_equal_sentences_in_a_batch(labeller: SpanLabeller) -> None:
    sentences = [row.words for row in tagged(9)]
    whole = labeller.label(sentences, ["animal", "park"], threshold=0.3)
    apart = [labeller.label([words], ["animal", "park"], threshold=0.3)[0] for words in sentences]
    assert whole == apart and any(whole)
    for words, spans in zip(sentences, whole, strict=True):
        taken = [i for start, stop, _ in spans for i in range(start, stop)]
        assert len(set(taken)) == len(taken) and all(i < len(words) for i in taken)


def test_a_long_sentence_is_read_in_windows(labeller: SpanLabeller) -> None:
    words = ("katze", "sitzt") * 70
    [spans] = labeller.label([words], ["animal"], threshold=0.02)
    assert spans and max(stop for _, stop, _ in spans) > 130


def test_wrong_labels_are_refused(labeller: SpanLabeller) -> None:
    for labels, said in (
        ([], "a label is a text"),
        (["a", " "], "a label is a text"),
        (["a", "a"], "stands twice"),
        ([f"hund park matte {i}" for i in range(30)], "30 labels take"),
    ):
        with pytest.raises(UserError, match=said):
            labeller.label([("hund",)], labels)


def test_f1_by_hand_with_labels_seen_and_unseen() -> None:
    found = [((0, 1, "person"), (1, 2, "person")), ((0, 1, "Ort"),)]
    result = Part.evaluate(ROWS, {"one": found}, seen=["PERSON", "animal"])
    assert result["one"].scores["f1"].mean == pytest.approx(2 * 1 / (3 + 3))
    details = result["one"].details
    assert details["person"] == details[SEEN] == pytest.approx(2 * 1 / (2 + 2))
    assert details["Ort"] == details[UNSEEN] == 0
    assert result.facts["unseen"] == ["Ort"] and result.facts["labels"] == 2
    assert UNSEEN not in Part.evaluate(ROWS, {"one": found}, seen=["person", "ort"])["one"].details
    with pytest.raises(UserError, match="one gives spans of 1 for 2 sentences"):
        Part.evaluate(ROWS, {"one": found[:1]})
    with pytest.raises(UserError, match="no sentences"):
        Part.evaluate([], {})


def test_the_threshold_with_the_best_f1_is_chosen() -> None:
    scored = [
        [(0.9, (0, 1, "person")), (0.31, (2, 3, "Ort")), (0.2, (1, 2, "Ort"))],
        [(0.4, (0, 1, "person")), (0.25, (1, 2, "person"))],
    ]
    assert best_threshold(scored, ROWS) == 0.31  # the highest of those that give all three
    assert best_threshold([[], []], ROWS) == 0.99


def test_labels_get_other_names() -> None:
    [first, _] = renamed(ROWS, {"person": "mtu"})
    assert first.spans == ((0, 1, "mtu"), (2, 3, "Ort")) and first.words == ROWS[0].words


def test_evaluate_takes_names_thresholds_and_orders(place: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.json"
    names.write_text(json.dumps({"ANIMAL": "animal"}))
    given = {"base": str(place / "base"), "data": str(place / "test.conll"), "module": place / "m"}
    plain = xadapt.evaluate("open_ner", **given)
    assert plain.facts["unseen"] == [] and plain.facts["threshold"] == 0.5  # whatever the case
    named = xadapt.evaluate(
        "open_ner", **given, names=str(names), threshold_data=str(place / "test.conll"), orders=2
    )
    assert list(named["module"].details) == ["animal"]
    assert len(named.facts["f1_by_order"]) == 2 and 0 < named.facts["threshold"] < 1
    best = named["module"].scores["f1"].mean
    lower = xadapt.evaluate("open_ner", **given, names=str(names), threshold=0.6)
    assert best >= lower["module"].scores["f1"].mean
    names.write_text("[1]")
    for wrong, said in (
        ({"names": str(names)}, "no object of labels to texts"),
        ({"threshold": 1.0}, "between 0 and 1"),
        ({"names": str(tmp_path / "absent.json")}, "absent.json"),
    ):
        with pytest.raises(UserError, match=said):
            xadapt.evaluate("open_ner", **given, **wrong)


@pytest.mark.parametrize("apart", [False, True])
def test_a_recipe_learns_spans_of_labels_as_texts(place: Path, tmp_path: Path, apart: bool) -> None:
    """Animals are found, also by a label whose text only a synonym of the training has."""
    groups = [["animal", "paka"]]
    rows = renamed(tagged(100), {"ANIMAL": "animal"})
    xadapt.train(
        "span_labeller", data=rows, base=str(place / "base"), out=tmp_path / "m", lang="de",
        loaders="none", settings=(
            f"objectives.0.synonyms={json.dumps(groups)}", "objectives.0.hidden=32",
            "objectives.0.distance=4", "data.train.dev=10", "train.evaluations=1",
            "train.epochs=10", "train.learning_rate=0.01", "train.batch_size=8", "module.rank=4",
            "module.alpha=8", "dtype=float32", f"objectives.0.apart={str(apart).lower()}",
        ),
    )  # fmt: skip
    manifest = json.loads((tmp_path / "m" / "xadapt.json").read_text())
    assert manifest["head"]["labels"] == ["animal", "paka"] and manifest["evidence"]
    tuned = SpanLabeller.load(str(place / "base"), tmp_path / "m")
    test = renamed(tagged(20, seed=8), {"ANIMAL": "animal"})
    words = [row.words for row in test]
    for label in ("animal", "paka"):
        active = tuned.adapted.activations(len(words), None)
        found = probabilities(tuned.adapted.encoder, tuned.head, words, [label], active)
        right, wrong = [], []
        for row, scored in zip(test, found, strict=True):
            given = {span[:2]: probability for probability, span in scored}
            gold = {span[:2] for span in row.spans}
            for i in range(len(row.words)):
                (right if (i, i + 1) in gold else wrong).append(given.get((i, i + 1), 0.0))
        assert sum(right) / len(right) > sum(wrong) / len(wrong) + 0.2, label
