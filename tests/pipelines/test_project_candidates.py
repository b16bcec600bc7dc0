"""T-Projection: a generator that was trained, n-grams, the selection, and mistakes."""

from __future__ import annotations

import warnings

import pytest
import torch
from tiny_commands import good
from tiny_seq2seq import tiny_model, tiny_seq2seq_folder, tiny_tokenizer
from tiny_translation import tiny_translator, translator_folder

import xadapt as package
from xadapt.core.errors import Notice, UserError
from xadapt.data.records import TaggedSentence
from xadapt.functional.type_slots import filled_slots, to_slots, word_runs
from xadapt.integrations.translators.nmt_score import NmtScorer
from xadapt.pipelines.project_candidates import (
    NO_CANDIDATE,
    TAKEN,
    Generator,
    by_candidates,
    candidates_of,
)
from xadapt.pipelines.projection import UNTRANSLATED

WORDS = [
    "Ada met The mayor in New York".split(),  # noqa: SIM905
    "Dar es Salaam na Nairobi".split(),  # noqa: SIM905
    "the mayor met Ada Lovelace".split(),  # noqa: SIM905
]
SPANS = [
    ((0, 1, "PER"), (5, 7, "LOC")), ((0, 3, "LOC"), (4, 5, "LOC")), ((3, 5, "PER"),),
]  # fmt: skip
GIVEN = {"method": "tprojection", "source": "en", "target": "sw"}


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    """A tiny T5 that has learnt to fill the slots of three sentences."""
    tokenizer = tiny_tokenizer("t5")
    model = tiny_model("t5", d_model=48, d_ff=64, dropout_rate=0.0).requires_grad_(True)
    texts = [to_slots(w, [s[2] for s in own]) for w, own in zip(WORDS, SPANS, strict=True)]
    answers = [filled_slots(w, own) for w, own in zip(WORDS, SPANS, strict=True)]
    given = tokenizer(texts, padding=True, return_tensors="pt")
    wanted = tokenizer([f"{text}</s>" for text in answers], padding=True, return_tensors="pt")
    labels = wanted["input_ids"].masked_fill(wanted["attention_mask"] == 0, -100)
    torch.manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(600):
        loss = model(input_ids=given["input_ids"], attention_mask=given["attention_mask"],
                     labels=labels).loss  # fmt: skip
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss.item() < 0.01:
            break
    folder = tmp_path_factory.mktemp("generator")
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    assert loss.item() < 0.01
    return folder


def test_a_trained_generator_names_the_spans(generator):
    rows = [TaggedSentence(tuple(w), s, "en") for w, s in zip(WORDS, SPANS, strict=True)]
    for beams in (1, 3):
        found = Generator(str(generator), beams, dtype="float32").candidates(
            WORDS, [[span[2] for span in own] for own in SPANS]
        )
        assert all(
            (start, end) in own[name]
            for own, spans in zip(found, SPANS, strict=True)
            for start, end, name in spans
        )
    # one candidate of a type needs no judgement: what the scorer says can't matter
    made = package.project(
        rows[:1] + rows[2:], translations=[WORDS[0], WORDS[2]], translator=tiny_translator(),
        candidates=str(generator), beams=1, **GIVEN,
    )  # fmt: skip
    assert [row.spans for row in made.rows] == [SPANS[0], SPANS[2]] and not made.drops


def test_outputs_of_all_beams_are_united_and_lie_in_the_sentence():
    outputs = [
        "<PER>Ada</PER><LOC>York</LOC>",
        "<PER>ada</PER><LOC>New York</LOC><ORG>met</ORG>",
        "<PER>Bo</PER><LOC>[None]</LOC>",
    ]
    found = candidates_of(outputs, WORDS[0], ["PER", "LOC"])
    assert found == {"PER": {(0, 1)}, "LOC": {(6, 7), (5, 7)}}
    assert candidates_of(outputs, ["mwAda"], ["PER"], pieces=True) == {"PER": {(0, 1)}}


def test_each_run_of_words_is_a_candidate_and_the_likeliest_is_taken():
    translator = tiny_translator(1)
    rows = [
        TaggedSentence(("Ada", "in", "New", "York"), ((0, 1, "PER"), (2, 4, "LOC")), "en"),
        TaggedSentence(("Ada", "and", "Ada"), ((0, 1, "PER"), (2, 3, "PER")), "en"),
    ]  # fmt: skip
    said = [("Ada", "alikutana", "na", "Bo", "New", "York", "."), ("Ada", "na", "Ada")]
    made = package.project(
        rows, translations=said, translator=translator, candidates="ngrams", **GIVEN
    )
    scorer = NmtScorer(translator, "en", "sw")
    for row, words, own in zip(rows, said, made.rows, strict=True):
        taken: list[tuple[int, int, str]] = []
        for start, end, name in row.spans:
            runs = [
                run
                for run in word_runs(words, end - start + 3)
                if not any(run[0] < b and a < run[1] for a, b, _ in taken)
            ]
            scores = scorer.score([(row.words[start:end], words[a:b]) for a, b in runs])
            if runs:
                taken.append((*runs[scores.index(max(scores))], name))
        assert own.spans == tuple(sorted(taken)) and own.words == words
        inside = [word for a, b, _ in own.spans for word in range(a, b)]
        assert len(inside) == len(set(inside)) and set(inside) <= set(range(len(words)))


def test_a_repeated_name_goes_to_its_next_place(monkeypatch):
    rows = [TaggedSentence(("Bo", "and", "Bo"), ((0, 1, "PER"), (2, 3, "PER")), "en")]
    said = [("Bo", "na", "Bo")]
    monkeypatch.setattr(NmtScorer, "score", lambda _, pairs: [float(a == b) for a, b in pairs])
    given = {"translator": tiny_translator(), "tags": ("en", "sw"), "candidates": "ngrams"}
    [own] = by_candidates(rows, said, **given)
    assert own.spans == [(0, 1, "PER"), (2, 3, "PER")]
    rows = [TaggedSentence(("Bo",), ((0, 1, "PER"),), "en")]
    rows.append(TaggedSentence(("Bo", "Bo"), ((0, 1, "PER"), (1, 2, "PER")), "en"))
    both = by_candidates(rows, [(".", ","), ("Bo",)], **given)
    assert both[0].dropped == {0: NO_CANDIDATE} and both[1].dropped == {1: TAKEN}
    [none] = by_candidates(rows[:1], [()], **given)
    assert none.dropped == {0: UNTRANSLATED}


def test_a_generator_that_was_not_trained_is_told(tmp_path):
    folder = tiny_seq2seq_folder(tmp_path / "t5")
    rows = [TaggedSentence(("Ada", "met", "Bo"), ((0, 1, "PER"),), "en")]
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        made = package.project(
            rows, translations=[["Ada", "na", "Bo"]], translator=tiny_translator(),
            candidates=str(folder), beams=2, **GIVEN,
        )  # fmt: skip
    assert made.rate == 0 and made.drops[0].reason == NO_CANDIDATE
    [own] = [one for one in seen if issubclass(one.category, Notice)]
    assert "in 1 of 1 sentences the generator named no words" in str(own.message)


def test_the_verb_and_its_mistakes(generator, tmp_path):
    mt = translator_folder(tmp_path / "mt")
    data, said = tmp_path / "en.conll", tmp_path / "sw.txt"
    data.write_text("Ada B-PER\nmet O\n", encoding="utf-8")
    said.write_text("the mayor met Ada Lovelace\n", encoding="utf-8")
    given = (
        "project", "--method", "tprojection", "--translator", f"seq2seq:{mt}", "--data", data,
        "--translations", said, "--source", "en", "--target", "sw",
    )  # fmt: skip
    out = tmp_path / "sw.conll"
    done = good(*given, "--candidates", generator, "--beams", 2, "--out", out)
    assert "1 of 1 spans" in done.out
    assert "Ada\tB-PER\nLovelace\tI-PER" in out.read_text(encoding="utf-8")
    good(*given, "--candidates", "ngrams", "--out", tmp_path / "n.conll", "--pieces")
    rows = [TaggedSentence(("Ada",), ((0, 1, "PER"),), "en")]
    known = {"translations": [["Ada"]], "translator": tiny_translator(), **GIVEN}
    for more, said in (
        ({}, "tprojection needs candidates"),
        ({"candidates": "ngrams", "beams": 0}, "beams is at least 1"),
        ({"candidates": str(tmp_path / "none")}, "none"),
        ({"candidates": f"{generator}+{tmp_path / 'none'}"}, "none"),
        ({"candidates": "ngrams", "translator": None}, "needs a translation model"),
        ({"candidates": "ngrams", "alpha": 1}, "alpha: this is for the method codec"),
    ):
        with pytest.raises(UserError, match=said):
            package.project(rows, **known | more)
