"""FILTER from data to a published module: kinds of modules, resuming, a teacher, translators."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_models import tiny_folder
from tiny_training import translated, translated_questions, translated_words

import xadapt
from xadapt.core.errors import UserError
from xadapt.data.records import TranslatedQuestion, TranslatedSentence, TranslatedText
from xadapt.hub.opening import read_manifest
from xadapt.tasks import AnswerFinder, Classifier, Tagger
from xadapt.tasks.run_prediction import predict

MODULES = {
    "lora": {"kind": "lora", "rank": 2},
    "bottleneck": {"kind": "bottleneck", "width": 4},
    "mixture": {"kind": "mixture_of_loras", "rank": 2, "experts": 2},
}
NAME = "filter_classification"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_folder(tmp_path_factory.mktemp("filter") / "base"))


@pytest.fixture(scope="module")
def first(base: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A first run on English texts with German translations."""
    out = tmp_path_factory.mktemp("filter") / "first"
    train(translated(40), base, out)
    return out


def train(rows, base: str, out: Path, settings=(), recipe=None, **more):
    own = {"train.evaluations": 2, "dtype": "float32", "data.train.dev": 10, **dict(settings)}
    texts = [f"{name}={json.dumps(value)}" for name, value in own.items()]
    given = {"epochs": 1, "loaders": "none", "lang": "en", **more}
    name = NAME if recipe is None else recipe
    return xadapt.train(name, data=rows, base=base, out=out, settings=texts, **given)


def german(n: int) -> list[TranslatedText]:
    return [TranslatedText(r.translation, r.label, "de", r.text) for r in translated(n, seed=5)]


def lines(file: Path, rows, *fields: str) -> str:
    file.write_text("".join("\t".join(getattr(r, f) for f in fields) + "\n" for r in rows), "utf-8")
    return str(file)


@pytest.mark.parametrize("kind", ["bottleneck", "mixture"])
def test_other_kinds_of_modules_learn(base: str, tmp_path: Path, kind: str) -> None:
    train(translated(24), base, tmp_path / "m", {"module": MODULES[kind]})
    head = read_manifest(tmp_path / "m").head
    assert head is not None and head.fused == (1, 2)


def test_the_folder_keeps_the_layers_and_is_measured_with_translations(
    base: str, first: Path, tmp_path: Path
) -> None:
    manifest = read_manifest(first)
    assert manifest.head is not None and manifest.head.fused == (1, 2)
    assert manifest.head.task == "classification"
    assert {row.task for row in manifest.evidence} == {"classification"}
    data = lines(tmp_path / "de.tsv", german(20), "text", "translation", "label")
    with_them = xadapt.evaluate("classification", base=base, data=data, module=first)
    assert with_them.facts["translated"] == with_them.count == 20
    bare = lines(tmp_path / "bare.tsv", german(20), "text", "label")
    alone = xadapt.evaluate("classification", base=base, data=bare, module=first)
    assert alone.facts["translated"] == 0 and alone.count == 20


def test_a_translation_matters_and_no_translation_is_the_text_itself(
    base: str, first: Path
) -> None:
    classifier = Classifier.load(base, first)
    assert classifier.head.fused == (1, 2)
    texts = [row.text for row in german(6)]
    right = classifier.scores(texts, translations=[row.translation for row in german(6)])
    assert classifier.scores(texts) == pytest.approx(classifier.scores(texts, translations=texts))
    assert abs(right - classifier.scores(texts)).max() > 1e-6
    mixed = classifier.scores(texts, translations=[german(6)[0].translation, *[""] * 5])
    assert mixed[0] == pytest.approx(right[0], abs=1e-5)
    assert mixed[1:] == pytest.approx(classifier.scores(texts)[1:], abs=1e-5)
    with pytest.raises(UserError, match="1 translations for 6 texts"):
        classifier.classify(texts, translations=["the cat"])


def test_predict_reads_the_column(base: str, first: Path, tmp_path: Path) -> None:
    rows = german(5)
    data = lines(tmp_path / "de.tsv", rows, "text", "translation")
    found = list(predict("classification", data, base=base, modules=first))
    classifier = Classifier.load(base, first)
    own = classifier.scores([r.text for r in rows], translations=[r.translation for r in rows])
    for answer, scores in zip(found, own, strict=True):
        assert list(answer["scores"].values()) == pytest.approx(list(scores), abs=1e-5)


def test_a_translator_makes_the_pairs(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XADAPT_CACHE", str(tmp_path / "cache"))
    rows = translated(40)
    data = lines(tmp_path / "en.tsv", rows, "text", "label")
    there = {r.text: r.translation for r in rows}
    file = tmp_path / "mt.tsv"
    file.write_text("".join(f"{a}\t{b}\n" for a, b in there.items()), "utf-8")
    into = {"data.train.transforms": [{"name": "translate", "into": ["de"]}]}
    train(data, base, tmp_path / "mt", into, translator=f"file:{file}")
    told = json.dumps(read_manifest(tmp_path / "mt").model_dump(mode="json"))
    assert '"translator": "file"' in told and "mt.tsv" in told
    back = tmp_path / "back.tsv"
    back.write_text("".join(f"{b}\t{a}\n" for b, a in {b: a for a, b in there.items()}.items()))
    test = [TranslatedText(b, "some", "de") for b in list(there.values())[:9]]
    bare = lines(tmp_path / "bare.tsv", test, "text", "label")
    found = xadapt.evaluate(
        "classification", base=base, data=bare, module=tmp_path / "mt", lang="de",
        translator=f"file:{back}",
    )  # fmt: skip
    assert found.facts["translated"] == found.count == 9
    with pytest.raises(UserError, match=r"none of the .* has a translation"):
        train(data, base, tmp_path / "none")
    with pytest.raises(UserError, match="no language is named into which"):
        train(data, base, tmp_path / "none", translator=f"file:{file}")


class Stop:
    """A callback that stops a run as Ctrl-C does."""

    def on_step_end(self, args, state, control, **_) -> None:
        if state.global_step == 2:
            raise KeyboardInterrupt


def test_a_second_run_learns_from_the_first_and_resumes_bitwise(
    base: str, first: Path, tmp_path: Path
) -> None:
    taught = {"objectives.0.teacher": "first", "companions": {"first": {"head": True}}}
    given = {"companions": {"first": str(first)}}
    rows = translated(40)
    train(rows, base, tmp_path / "whole", taught, **given)
    with pytest.raises(KeyboardInterrupt):
        train(rows, base, tmp_path / "cut", taught, callbacks=[Stop()], **given)
    train(rows, base, tmp_path / "cut", taught, resume=True, **given)
    for name in ("module.safetensors", "head.safetensors"):
        both = [(tmp_path / run / name).read_bytes() for run in ("whole", "cut")]
        assert both[0] == both[1] != (first / name).read_bytes()
    with pytest.raises(UserError, match="learns from the companion 'first'"):
        train(rows, base, tmp_path / "none", {"objectives.0.teacher": "first"})


def test_more_layers_than_the_base_has_are_refused(base: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="local and fusion layers are 25 together"):
        train(translated(20), base, tmp_path / "m", {"objectives.0.fusion": 24})


def test_tagging_learns_is_taught_and_reads_translations(base: str, tmp_path: Path) -> None:
    rows, small = translated_words(30), {"module": MODULES["bottleneck"]}
    train(rows, base, tmp_path / "one", small, "filter_tagging")
    head = read_manifest(tmp_path / "one").head
    assert head is not None and (head.task, head.fused) == ("tagging", (1, 2))
    taught = {"objectives.0.teacher": "first", "companions": {"first": {"head": True}}, **small}
    given = {"companions": {"first": str(tmp_path / "one")}}
    train(rows, base, tmp_path / "two", taught, "filter_tagging", **given)
    assert (tmp_path / "two" / "head.safetensors").read_bytes() != (
        tmp_path / "one" / "head.safetensors"
    ).read_bytes()
    spans = [(tuple((i, i + 1, "ANIMAL") for i, w in enumerate(r.translation) if w == "katze"), r)
             for r in rows[:12]]  # fmt: skip
    test = [TranslatedSentence(r.translation, own, "de", r.words) for own, r in spans]
    found = xadapt.evaluate("tagging", base=base, data=test, module=tmp_path / "two")
    assert found.facts["translated"] == found.count == 12
    tagger = Tagger.load(base, tmp_path / "two")
    words = [row.words for row in test]
    assert tagger.tag(words) == tagger.tag(words, translations=words)
    tags = tagger.tag(words, translations=[row.translation for row in test])
    assert list(map(len, tags)) == list(map(len, words))


def test_conll_and_a_translator_make_the_pairs_of_tagging(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XADAPT_CACHE", str(tmp_path / "cache"))
    rows = translated_words(24)
    marks = [{i for i, _, _ in row.spans} for row in rows]
    text = "".join(
        "".join(f"{w}\t{'B-ANIMAL' if i in own else 'O'}\n" for i, w in enumerate(row.words)) + "\n"
        for row, own in zip(rows, marks, strict=True)
    )
    (tmp_path / "en.conll").write_text(text, "utf-8")
    said = {" ".join(row.words): " ".join(row.translation) for row in rows}
    (tmp_path / "mt.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in said.items()), "utf-8")
    settings = {
        "module": MODULES["bottleneck"],
        "data.train.transforms": [{"name": "translate_words", "into": ["de"]}],
    }
    data, out = str(tmp_path / "en.conll"), tmp_path / "m"
    train(data, base, out, settings, "filter_tagging", translator=f"file:{tmp_path / 'mt.tsv'}")
    assert '"translator"' in (out / "xadapt.json").read_text("utf-8")


def test_qa_learns_is_taught_and_reads_translations(base: str, tmp_path: Path) -> None:
    rows, small = translated_questions(24), {"module": MODULES["lora"], "objectives.0.fusion": 1}
    train(rows, base, tmp_path / "one", small, "filter_qa")
    head = read_manifest(tmp_path / "one").head
    assert head is not None and (head.task, head.fused) == ("span_extraction", (1, 2))
    taught = {"objectives.0.teacher": "first", "companions": {"first": {"head": True}}, **small}
    given = {"companions": {"first": str(tmp_path / "one")}}
    train(rows, base, tmp_path / "two", taught, "filter_qa", **given)
    test = [
        TranslatedQuestion(*r.translation, r.translated_answers, "de", (r.question, r.passage))
        for r in rows[:9]
    ]
    found = xadapt.evaluate("qa", base=base, data=test, module=tmp_path / "two", lang="de")
    assert found.facts["translated"] == found.count == 9
    finder = AnswerFinder.load(base, tmp_path / "two")
    asked = [(row.question, row.passage) for row in test]
    alone = finder.answer(asked)
    own = finder.answer(asked, translations=asked)
    assert [a.text for a in alone] == [a.text for a in own]
    for answer, (_, passage) in zip(
        finder.answer(asked, translations=[row.translation for row in test]), asked, strict=True
    ):
        assert passage[answer.start : answer.start + len(answer.text)] == answer.text


def test_squad_and_a_translator_make_the_pairs_of_qa(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XADAPT_CACHE", str(tmp_path / "cache"))
    rows = translated_questions(24)
    lines_ = [
        {"context": r.passage, "question": r.question,
         "answers": [{"text": text, "answer_start": at} for at, text in r.answers]}
        for r in rows
    ]  # fmt: skip
    data = tmp_path / "en.jsonl"
    data.write_text("".join(json.dumps(line) + "\n" for line in lines_), "utf-8")
    said = {"cat": "katze", "dog": "hund", "two cat": "eins katze"}
    said |= {r.passage: f"die {said[r.answers[0][1]]} sitzt" for r in rows}
    (tmp_path / "mt.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in said.items()), "utf-8")
    settings = {
        "module": MODULES["lora"], "objectives.0.fusion": 1, "data.train.dev": 0,
        "data.train.transforms": [{"name": "translate_questions", "into": ["de"]}],
    }  # fmt: skip
    train(
        str(data), base, tmp_path / "m", settings, "filter_qa",
        translator=f"file:{tmp_path / 'mt.tsv'}",
    )  # fmt: skip
    assert '"translator"' in (tmp_path / "m" / "xadapt.json").read_text("utf-8")
