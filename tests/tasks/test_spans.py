import json

import pytest
import torch
from tiny_commands import Place, good, xadapt
from tiny_models import tiny_encoder
from tiny_training import module_for, spanned

from xadapt.core.errors import UserError
from xadapt.core.files import read_json
from xadapt.data.records import AlignedSpans
from xadapt.heads.pointer_head import PointerHead
from xadapt.hub.opening import read_manifest
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.tasks.spans import COPY, EXACT, NEW, Part, pointed

ROWS = [
    AlignedSpans(("die", "Katze", "Paka"), ("the", "cat", "Paka"),
                 (((1, 2), (1, 2)), ((2, 3), (2, 3))), "de"),
    AlignedSpans(("ja",), ("yes",), (((0, 1), (0, 1)),), "de"),
]  # fmt: skip


def test_scores_by_hand():
    found = [[(1, 2), (0, 1)], [(0, 1)]]
    result = Part.evaluate(ROWS, {"one": found}, resamples=20)
    assert result["one"].scores[EXACT].mean == pytest.approx(2 / 3)
    assert result["one"].scores[NEW].mean == 1  # cat and yes; Paka stands on both sides
    assert (result.facts["spans"], result.facts["without_shared_word"]) == (3, 2)
    assert result[COPY].scores[EXACT].mean == pytest.approx(1 / 3)
    assert result[COPY].scores[NEW].mean == 0


def test_where_all_words_are_shared_the_second_measure_is_left_out():
    same = [AlignedSpans(("Paka",), ("Paka",), (((0, 1), (0, 1)),), "de")]
    assert Part.evaluate(same, {"one": [[(0, 1)]]}, resamples=5).measures == (EXACT,)


def test_what_does_not_fit_is_refused():
    with pytest.raises(UserError, match="no pairs with spans"):
        Part.evaluate([], {})
    with pytest.raises(UserError, match="does not give one span"):
        Part.evaluate(ROWS, {"one": [[(0, 1)], [(0, 1)]]})


def test_the_prediction_is_the_best_span_of_whole_words_in_the_translation():
    encoder = tiny_encoder()
    module = module_for(encoder, "own_tokens", module={"kind": "none"})
    acts = Activation.of(ActiveAdapter(encoder, module))
    rows = spanned(12)
    torch.manual_seed(0)
    head = PointerHead(encoder.width)
    found = pointed(encoder, head, rows, acts)
    for row, own in zip(rows, found, strict=True):
        [(start, stop)] = own
        assert 0 <= start < stop <= len(row.text)
    assert pointed(encoder, head, rows[3:5], acts) == found[3:5]
    with pytest.raises(UserError, match=r"has a vector for \[QUE\]"):
        pointed(encoder, head, rows)


def test_a_span_that_was_cut_off_is_no_span():
    encoder = tiny_encoder()
    module = module_for(encoder, "own_tokens", module={"kind": "none"})
    acts = Activation.of(ActiveAdapter(encoder, module))
    row = AlignedSpans(("katze",) * 90, ("cat", "dog"), (((1, 2), (85, 86)),), "de")
    assert pointed(encoder, PointerHead(encoder.width), [row], acts) == [[(0, 0)]]


@pytest.fixture(scope="module")
def clism(tmp_path_factory):
    """A base with a language-model head, a module of the whole recipe, and data of the task."""
    place = Place(tmp_path_factory.mktemp("clism"), mlm=True)
    data = place.data.parent / "spans.jsonl"
    rows = [
        {"src": list(r.pivot), "tgt": list(r.text),
         "spans": [{"src": [a[0], a[1] - 1], "tgt": [b[0], b[1] - 1]} for a, b in r.spans]}
        for r in spanned(60)
    ]  # fmt: skip
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    out = place.data.parent / "m"
    good(
        "train", "clism_cacr", "--base", place.base, "--data", data, "--lang", "de", "--out", out,
        "--set", "data.train.reader=aligned_spans", "--set", "data.train.transforms=[]",
        "--set", "module.module.rank=2", "--set", "dtype=float32", "--set", "train.epochs=1",
    )  # fmt: skip
    return place, data, out


def test_a_recipe_from_given_spans_to_a_published_head(clism, tmp_path):
    place, data, out = clism
    manifest = read_manifest(out)
    assert manifest.head.task == "span_pointing" and manifest.head.labels == ["start", "end"]
    assert manifest.module.kind == "own_tokens" and manifest.evidence[0].task == "spans"
    given = ("evaluate", "spans", "--base", place.base, "--module", out, "--data", data)
    done = good(*given, "--json", tmp_path / "r.json")
    rows = {row["system"]: row for row in read_json(tmp_path / "r.json")["rows"]}
    assert set(rows) == {"module", COPY} and "no shared word" in done.out
    assert not (out / "adapter_model.safetensors").exists() or True
    bad = xadapt(*given[:-1], place.data)
    assert bad.code == 2 and "no named columns" in bad.err


def test_the_head_is_a_qa_head_too(clism, tmp_path):
    place, _, out = clism
    passage = "the cat sat on the mat in the park"
    question = {"question": "two five", "answers": [{"text": "cat", "answer_start": 4}]}
    data = tmp_path / "qa.jsonl"
    data.write_text(json.dumps({"context": passage, "qas": [question] * 4}) + "\n")
    good("evaluate", "pointed_qa", "--base", place.base, "--module", out, "--data", data)
    done = xadapt("evaluate", "qa", "--base", place.base, "--module", out, "--data", data)
    assert done.code == 2 and "span_extraction" in done.err
    tuned = tmp_path / "qa"
    good(
        "train", "qa_from_clism", "--base", place.base, "--data", data, "--lang", "en",
        "--companion", f"clism={out}", "--compose", f"{out} + self", "--out", tuned,
        "--set", "module.module.rank=2", "--set", "dtype=float32", "--set", "train.epochs=1",
        "--set", "data.train.dev=0", "--set", "train.batch_size=4",
    )  # fmt: skip
    assert read_manifest(tuned).head.task == "span_pointing"
    both = ("--compose", f"{out} + {tuned}", "--head", tuned)
    good("evaluate", "pointed_qa", "--base", place.base, "--data", data, *both)
    alone = xadapt("train", "qa_from_clism", "--base", place.base, "--data", data, "--lang", "en",
                   "--out", tmp_path / "x")  # fmt: skip
    assert alone.code == 2 and "clism" in alone.err and not (tmp_path / "x").exists()


def test_a_recipe_finds_spans_by_itself_or_says_why_not(clism, tmp_path):
    place, _, _ = clism
    given = ("train", "cacr", "--base", place.base, "--lang", "de", "--out", tmp_path / "m",
             "--set", "module.module.rank=2", "--set", "train.epochs=1")  # fmt: skip
    lower = xadapt(*given, "--data", place.data)  # there is no capital letter in these data
    assert lower.code == 2 and "informative_spans left nothing" in lower.err
    data = tmp_path / "pairs.tsv"
    rows = [line.split("\t") for line in place.data.read_text(encoding="utf-8").splitlines()]
    cased = "".join(f"x {a.split()[0].title()} {' '.join(a.split()[1:])}\ty {b}\n" for a, b in rows)
    data.write_text(cased, encoding="utf-8")
    found = "data.train.transforms=[{name: informative_spans, stop_words: 0}]"
    done = good(*given, "--data", data, "--set", found)
    assert "pairs have spans" in done.err
    assert read_manifest(tmp_path / "m").head is None  # cacr alone has no pointers
    wrong = xadapt(*given[:-4], "--data", data, "--set", "module={kind: lora, rank: 2}")
    assert wrong.code == 2
