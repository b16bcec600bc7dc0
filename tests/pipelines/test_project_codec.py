"""CODEC: against a slow twin that scores every output, what it keeps, and its mistakes."""

from __future__ import annotations

import json
from itertools import accumulate, product

import pytest
import torch
from tiny_commands import good, xadapt
from tiny_seq2seq import tiny_model, tiny_tokenizer
from tiny_translation import tiny_translator, translator_folder

import xadapt as package
from xadapt.core.errors import UserError
from xadapt.data.readers.tagged_spans import TaggedSpans
from xadapt.data.records import TaggedSentence, TranslatedSentence
from xadapt.functional.marker_choice import Candidate, choose, opening_words, similarity
from xadapt.functional.marker_text import with_markers
from xadapt.hub.seq2seq_lora import save_seq2seq_lora
from xadapt.injection.seq2seq_lora import Seq2SeqLoRA
from xadapt.integrations.translators.direction import Direction
from xadapt.integrations.translators.seq2seq import Seq2SeqTranslator
from xadapt.pipelines.project_codec import LESS_LIKELY, SHARED, TOO_LONG, UNLIKE
from xadapt.pipelines.projection import LEFT_OUT, OUTSIDE, OVERLAPPING, UNTRANSLATED, WITH_IT

ROWS = [
    TaggedSentence(tuple("only France and Britain backed the proposal".split()), ((1, 2, "LOC"), (3, 4, "LOC")), "en"),  # noqa: SIM905, E501
    TaggedSentence(("it", "was", "[", "Monday", "]"), ((3, 4, "DATE"),), "en"),
    TaggedSentence(("the", "proposal"), (), "en"),
    TaggedSentence(tuple("Ada Lovelace in New York".split()), ((0, 2, "PER"), (3, 5, "LOC")), "en"),  # noqa: SIM905
]  # fmt: skip
SAID = [
    tuple("Faransi ni Angiletɛri dɔrɔn de ye laɲini dɛmɛn .".split()),  # noqa: SIM905
    ("[", "jumatatu", "東京", "]", "</s>", "."),
    ("laɲini",),
    tuple("Ada Lovelace New York kɔnɔ".split()),  # noqa: SIM905
]
GIVEN = {"method": "codec", "source": "en", "target": "bm", "translations": SAID}


@torch.no_grad()
def slow(translator, row, said, span, strict):
    """Every place of the markers, scored in whole, then the rules of choice."""
    forward, reverse = Direction(translator, "en", "bm"), Direction(translator, "bm", "en")
    words = forward.words(said)
    marked, bare = forward.sources([" ".join(with_markers(row.words, [span])), " ".join(row.words)])
    target = forward.target(said)
    scores = forward.score([marked, bare], [target, target])
    starts = [0, *accumulate(map(len, words[:-1]))]
    known = {}
    for start, stop in product(opening_words(*scores, starts), range(1, len(words) + 1)):
        if stop <= start:
            continue
        parts = [*words[:start], forward.marker("["), *words[start:stop], forward.marker("]")]
        parts += [*words[stop:], (forward.end,)]
        tokens = tuple(token for part in parts for token in part)
        # before or behind a word that is a bracket: the same tokens, and the shorter span counts
        a, b = known.get(tokens, (start, stop))
        known[tokens] = (start, stop) if stop - start < b - a else (a, b)
    ways = [(span, tokens) for tokens, span in known.items()]
    totals = [sum(own) for own in forward.score([marked] * len(ways), [way[1] for way in ways])]
    order = sorted(range(len(ways)), key=lambda n: -totals[n])[:5]
    runs = [ways[n][0] for n in order]
    source = row.words[span[0] : span[1]]
    [alone] = translator.translate([" ".join(source)], "en", "bm")
    made = []
    for a, b in runs:
        text = " ".join(said[a:b])
        back = reverse.score(reverse.sources([text]), [reverse.target(source)])[0]
        like = max(similarity(text, " ".join(source)), similarity(text, alone)) if strict else 0.0
        made.append(Candidate(text, -sum(back), like))
    place = choose(made, strict=strict)
    return None if place is None else (runs[place], totals[order[place]])


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("purpose", ["train", "test"])
def test_it_does_what_a_slow_twin_does(seed, purpose):
    translator = tiny_translator(seed)
    made = package.project(ROWS, translator=translator, purpose=purpose, alpha=-1, **GIVEN)
    rows = dict(zip(made.numbers, made.rows, strict=True))
    for number, (row, said) in enumerate(zip(ROWS, SAID, strict=True), 1):
        spans = [slow(translator, row, said, span, purpose == "train") for span in row.spans]
        found = [(*own[0], span[2]) for own, span in zip(spans, row.spans, strict=True) if own]
        shared = len(found) == 2 and found[0][0] < found[1][1] and found[1][0] < found[0][1]
        reasons = [drop.reason for drop in made.drops if drop.row == number]
        if purpose == "train" and (None in spans or shared):
            assert number not in rows and len(reasons) == len(row.spans)
            wanted = {SHARED + LEFT_OUT} if shared else {UNLIKE + LEFT_OUT, WITH_IT}
            assert set(reasons) <= wanted
            continue
        assert rows[number].words == said, "words are those that were given, unchanged"
        if shared:
            best = max(spans, key=lambda own: own[1])
            assert [span[:2] for span in rows[number].spans] == [best[0]]
            assert reasons == [LESS_LIKELY]
        else:
            assert rows[number].spans == tuple(sorted(found)) and not reasons
    if purpose == "test":
        assert made.numbers == [1, 2, 3, 4], "no sentence is left out"


def test_one_pair_of_markers_stands_in_each_source(monkeypatch):
    seen = []
    own = Direction.sources

    def kept(self, texts):
        seen.extend(texts)
        return own(self, texts)

    monkeypatch.setattr(Direction, "sources", kept)
    package.project(ROWS[:1], translator=tiny_translator(), **GIVEN | {"translations": SAID[:1]})
    marked = [text for text in seen if "[" in text]
    assert marked == [
        "only [ France ] and Britain backed the proposal",
        "only France and [ Britain ] backed the proposal",
    ]


def test_what_the_search_looks_ahead_and_how_many_places_are_compared():
    translator = tiny_translator(1)
    given = {"translator": translator, "purpose": "test", **GIVEN}
    exact = package.project(ROWS, alpha=-1, **given)
    assert package.project(ROWS, alpha=500, **given).rows == exact.rows
    assert package.project(ROWS, **given).numbers == exact.numbers
    only = package.project(ROWS, alpha=-1, best=1, **given)
    assert only.numbers == exact.numbers
    assert all(score is None or score < 0 for score in exact.scores)
    assert [score is None for score in exact.scores] == [not row.spans for row in exact.rows]


def test_the_translator_translates_where_there_are_no_translations():
    translator = tiny_translator(2)
    made = package.project(
        ROWS, translator=translator, purpose="test", **GIVEN | {"translations": None}
    )
    said = translator.translate([" ".join(row.words) for row in ROWS], "en", "bm")
    kept = [n for n, text in enumerate(said) if text]
    assert made.numbers == [n + 1 for n in kept]
    assert [row.words for row in made.rows] == [tuple(said[n].split()) for n in kept]
    rows = [TranslatedSentence(r.words, r.spans, "en", w) for r, w in zip(ROWS, SAID, strict=True)]
    own = package.project(
        rows, translator=translator, purpose="test", **GIVEN | {"translations": None}
    )
    assert [row.words for row in own.rows] == SAID


def test_a_module_acts_on_the_scores_with_markers(tmp_path):
    translator = tiny_translator(1)
    seq2seq = Direction(translator, "en", "bm").seq2seq
    sites = ("decoder.q", "cross.q", "cross.v", "decoder.ffn_out")
    given = {"translator": translator, "purpose": "test", "alpha": -1, **GIVEN}
    bare = package.project(ROWS, **given)
    for name, scale in (("new", 0.0), ("trained", 3.0)):
        lora = Seq2SeqLoRA.of(seq2seq, sites, rank=4)
        torch.manual_seed(0)
        for _, update in lora.named_updates():
            torch.nn.init.normal_(update.B, std=scale) if scale else None
        save_seq2seq_lora(tmp_path / name, lora)
        # a tokenizer that was saved beside a trained model is not the one that is used
        (tmp_path / name / "tokenizer.json").write_text("{}", encoding="utf-8")
    new = package.project(ROWS, modules=tmp_path / "new", **given)
    assert new.rows == bare.rows and new.scores == pytest.approx(bare.scores, abs=1e-5)
    trained = package.project(ROWS, modules=[tmp_path / "trained"], **given)
    assert trained.scores != pytest.approx(bare.scores, abs=1e-2)
    with pytest.raises(UserError, match="codec takes one module"):
        package.project(ROWS, modules=[tmp_path / "new", tmp_path / "trained"], **given)


def test_scripts_without_spaces_have_no_spaces_in_their_tokens():
    translator = tiny_translator()
    spaced = Direction(translator, "en", "sw")
    dense = Direction(translator, "en", "zh")
    strings = spaced.seq2seq.tokenizer.convert_ids_to_tokens
    words = ["new", "york", "[", "na"]
    assert all(strings(own[0]).startswith("▁") for own in spaced.words(words))
    first, *rest = [strings(own) for own in dense.words(words)]
    assert first[0].startswith("▁") and not any("▁" in "".join(own) for own in rest)
    assert strings(dense.marker("[")) == ["["] and strings(spaced.marker("["))[0].startswith("▁")
    # spaced words have the tokens of the whole text
    whole = spaced.seq2seq.tokenizer("new york na", add_special_tokens=False)["input_ids"]
    assert [t for own in spaced.words(["new", "york", "na"]) for t in own] == whole
    made = package.project(
        ROWS[:1], translator=translator, purpose="test",
        **GIVEN | {"target": "zh", "translations": [SAID[0]]},
    )  # fmt: skip
    assert made.rows[0].words == SAID[0]


def test_rows_that_are_faulty_are_left_out_and_named():
    rows = [
        ROWS[0],
        TaggedSentence(("a", "b"), ((0, 1, "X"), (1, 3, "X")), "en"),
        TaggedSentence(("a", "b"), ((0, 2, "X"), (1, 2, "Y"), (0, 1, "Z")), "en"),
        ROWS[0],
        TaggedSentence(("New", "York") * 100, ((0, 2, "LOC"),), "en"),
        ROWS[2],
    ]
    said = [SAID[0], ("a",), ("b",), (), ("New", "York"), SAID[2]]
    for purpose, numbers in (("train", [6]), ("test", [1, 5, 6])):
        made = package.project(
            rows, translator=tiny_translator(), purpose=purpose, **GIVEN | {"translations": said}
        )
        assert set(made.numbers) - {1} == set(numbers) - {1}
        by_row = {}
        for drop in made.drops:
            by_row.setdefault(drop.row, []).append(drop.reason)
        assert by_row[2] == [WITH_IT, OUTSIDE]
        assert by_row[3] == [OVERLAPPING, OVERLAPPING, WITH_IT] and by_row[4] == [UNTRANSLATED] * 2
        assert by_row[5] == [TOO_LONG + (LEFT_OUT if purpose == "train" else "")]


def test_the_verb_writes_rows_with_scores_and_a_log(tmp_path):
    folder = translator_folder(tmp_path / "mt")
    data, said = tmp_path / "en.jsonl", tmp_path / "bm.txt"
    lines = [json.dumps({"tokens": row.words, "spans": row.spans}) for row in ROWS]
    data.write_text("\n".join(lines) + "\n", encoding="utf-8")
    said.write_text("".join(" ".join(words) + "\n" for words in SAID), encoding="utf-8")
    given = (
        "project", "--method", "codec", "--translator", f"seq2seq:{folder}", "--data", data,
        "--source", "en", "--target", "bm", "--translations", said,
    )  # fmt: skip
    out = tmp_path / "bm.jsonl"
    done = good(*given, "--out", out, "--purpose", "test", "--alpha", -1, "--best", 3)
    assert "4 sentences" in done.out
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [tuple(row["tokens"]) for row in rows] == SAID
    assert [("score" in row) for row in rows] == [bool(row["spans"]) for row in rows]
    assert len(list(TaggedSpans().read(str(out), "bm"))) == 4
    good(*given, "--out", tmp_path / "bm.conll", "--log", tmp_path / "log.jsonl")
    for line in (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines():
        drop = json.loads(line)
        assert drop["reason"].endswith(LEFT_OUT) and drop["where"].startswith(str(data))
    for changes, text in (
        (("--target", "fi"), "no code for the language fi"),
        (("--purpose", "dev"), "the purpose is train or test, not 'dev'"),
        (("--translator", "apertium"), "codec needs a translation model that scores"),
        (("--translator", "seq2seq:none"), "no translation model can be loaded"),
        (("--candidates", "ngrams"), "this is for the method tprojection"),
        (("--base", "mini"), "this is for the method align"),
        (("--layer", "2"), "layer: this is for the method align"),
        (("--best", "0"), "--best"),
        (("--alpha", "-2"), "--alpha"),
    ):
        done = xadapt(*given, "--out", tmp_path / "x.conll", *changes)
        assert done.code == 2 and text in done.err and "Traceback" not in done.err, done.err
        assert not (tmp_path / "x.conll").exists()


def test_a_model_of_one_direction_needs_the_other_one():
    tokenizer = tiny_tokenizer("marian")
    model = tiny_model("marian", init_std=0.4)
    one_way = Seq2SeqTranslator(model, tokenizer, "marian")
    with pytest.raises(UserError, match=r"marian: .*one direction.*--back"):
        package.project(ROWS, translator=one_way, **GIVEN)
    with pytest.raises(UserError, match=r"no token for the marker \["):
        package.project(ROWS, translator=one_way, back=tiny_translator(), **GIVEN)
    with pytest.raises(UserError, match="best is at least 1"):
        package.project(ROWS, translator=tiny_translator(), best=0, **GIVEN)
