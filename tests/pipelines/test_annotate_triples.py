"""Open triples carried to other languages by a language model, against a real server."""

from __future__ import annotations

import json

import pytest
from model_server import FAULTS, serving
from tiny_annotator import annotator, turned
from tiny_commands import good, xadapt

pytest.importorskip("openai")

from xadapt.core.errors import UserError
from xadapt.data.readers.open_triples import OpenTriplesReader
from xadapt.data.readers.tagged_spans import TaggedSpans
from xadapt.integrations.language_models import client as client_module
from xadapt.pipelines.annotate import annotate
from xadapt.pipelines.annotate_triples import Triples

WORDS = ("Ada", "Bo", "Chen", "Dina")
ROWS = [
    {"id": i, "text": f"{WORDS[i % 4]} built the house {i} and {WORDS[(i + 1) % 4]} saw it",
     "triples": [[WORDS[i % 4], "built", f"the house {i}"], [WORDS[(i + 1) % 4], "saw", "it"]]}
    for i in range(12)
]  # fmt: skip


class Detector:
    """Says which language a text is in: the made one, unless it is told otherwise."""

    def __init__(self, lang="de"):
        self.lang = lang

    def detect(self, text):
        return self.lang, 1.0


@pytest.fixture
def go(tmp_path, monkeypatch):
    monkeypatch.setenv("XADAPT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(client_module, "FIRST_WAIT", 0.001)

    def run(server, rows=ROWS, into=("de",), detector=None, **more):
        data = tmp_path / "triples.jsonl"
        data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return annotate(
            data, tmp_path / "out.jsonl", task=Triples(into, detector or Detector()), lang="en",
            models=[f"openai:tiny@{server.url}"], **more,
        )  # fmt: skip

    run.folder = tmp_path
    run.rows = lambda: read(tmp_path / "out.jsonl")
    run.log = lambda: read(tmp_path / "out.jsonl.log.jsonl")
    return run


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_triples_come_out_over_the_words_of_the_translation(go):
    with serving(annotator) as server:
        result = go(server, into=("de", "es", "en"))
    assert (result.accepted, result.rejected) == (24, 0)
    assert result.counts == {"triples": 48, "rows in de": 12, "rows in es": 12}
    first = go.rows()[0]
    assert first == {
        "id": "0-de", "lang": "de", "text": turned(ROWS[0]["text"]), "source": ROWS[0]["text"],
        "tokens": ["adA", "tliub", "eht", "esuoh", "0", "dna", "oB", "was", "ti"],
        "extractions": [[[1, 2, "P"], [0, 1, "A0"], [2, 5, "A1"]],
                        [[7, 8, "P"], [6, 7, "A0"], [8, 9, "A1"]]],
        "spans": [[1, 2, "P"], [7, 8, "P"]],
    }  # fmt: skip
    out = str(go.folder / "out.jsonl")
    [row, *_] = OpenTriplesReader().read(out, "de")
    assert row.extractions[0] == ((1, 2, "P"), (0, 1, "A0"), (2, 5, "A1"))
    [row, *_] = TaggedSpans().read(out, "de")
    assert row.spans == ((1, 2, "P"), (7, 8, "P"))


def test_rows_of_words_and_spans_are_carried_too(go):
    row = {"tokens": ["Ada", "built", "it"],
           "extractions": [[[1, 2, "P"], [0, 1, "A0"], [2, 3, "A1"]]]}  # fmt: skip
    with serving(annotator) as server:
        assert go(server, [row]).accepted == 1
    assert go.rows()[0]["extractions"] == row["extractions"]


SEGMENTS = {
    "not as many arguments": ["tliub", ["adA"]],
    "a part of the triple is empty": ["tliub", ["adA", " "]],
    "two parts of the triple are equal": ["tliub", ["adA", "adA"]],
    "a part of the triple is not in the translation": ["tliub", ["Ada", "eht esuoh"]],
    "parts of the triple overlap": ["tliub", ["adA tliub", "eht esuoh"]],
    "not of the form": ["tliub", "adA"],
}


@pytest.mark.parametrize("said", SEGMENTS)
def test_a_triple_that_is_not_in_the_translation_rejects_the_row(go, said):
    predicate, arguments = SEGMENTS[said]

    def brain(messages):
        if "It has these parts" in messages[1]["content"]:
            return json.dumps({"predicate": predicate, "arguments": arguments})
        return annotator(messages)

    row = {"text": "Ada built the house", "triple": ["Ada", "built", "the house"]}
    with serving(brain) as server:
        result = go(server, [row])
        assert server.requests.total() == 3
        assert said in server.bodies[-1]["messages"][-1]["content"]
    assert result.rejected == 1 and go.log()[0]["reason"].startswith(said)


def test_of_several_occurrences_one_is_taken_that_leaves_room_for_the_others(go):
    def brain(messages):
        if "It has these parts" in messages[1]["content"]:
            return '{"predicate": "a", "arguments": ["a b", "c a"]}'
        return '{"translation": "a b c a a"}'

    with serving(brain) as server:
        row = {"text": "x y z", "triple": ["x", "y", "z"]}
        assert go(server, [row]).accepted == 1
    assert go.rows()[0]["extractions"] == [[[4, 5, "P"], [0, 2, "A0"], [2, 4, "A1"]]]


def test_a_translation_in_the_source_language_is_rejected(go):
    with serving(annotator) as server:
        assert go(server, ROWS[:2], detector=Detector("en-GB")).reasons == {
            "the translation is in the language of the source": 2
        }
    with serving(lambda messages: '{"translation": "Ada built It"}') as server:
        row = {"text": "Ada built it", "triple": ["Ada", "built", "it"]}
        assert go(server, [row]).reasons == {"nothing was translated": 1}
        assert server.requests.total() == 1


def test_the_detector_knows_languages(go):
    pytest.importorskip("py3langid")
    assert Triples(("deu",)).into == ("de",)

    def brain(messages):
        if "It has these parts" in messages[1]["content"]:
            return '{"predicate": "baute", "arguments": ["Die alte Frau", "das große Haus"]}'
        return '{"translation": "Die alte Frau baute gestern das große Haus am Fluss."}'

    rows = [{"text": "The old woman built the big house by the river yesterday.",
             "triple": ["The old woman", "built", "the big house"]}]  # fmt: skip
    with serving(brain) as server:
        assert go(server, rows, detector=Triples(("de",)).detector).accepted == 1


def test_a_fifth_of_faults_leaves_no_row_without_an_end(go):
    with serving(annotator, share=0.2, faults=FAULTS) as server:
        result = go(server, into=("de", "es"))
        assert max(server.answered.values()) == 1
    assert result.accepted + result.rejected == 24 == len(go.rows()) + len(go.log())
    assert result.accepted and result.rejected


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"text": "a"}, "no triples"),
        ({"text": "a", "triples": "b"}, "no triples"),
        ({"text": "a", "triple": ["b"]}, "no triples"),
        ({"text": "a", "triple": ["b", ""]}, "no triples"),
        ({"text": "a", "triple": list("abcdef")}, "no triples"),
        ({"tokens": ["a"], "extractions": [[[0, 2, "P"]]]}, "is no span"),
        ({"tokens": ["a"], "extractions": 5}, "row 1, line 1"),
    ],
)
def test_a_malformed_row_is_told(go, row, said):
    with serving(annotator) as server, pytest.raises(UserError, match=said):
        go(server, [row])
    assert not (go.folder / "out.jsonl").exists()


def test_a_row_without_a_triple_is_rejected_and_languages_are_named(go):
    with serving(annotator) as server:
        assert go(server, [{"text": "a", "triples": []}]).reasons == {"the row has no triple": 1}
    with pytest.raises(UserError, match="no language is named"):
        Triples((), Detector())
    with pytest.raises(UserError, match="unknown language"):
        Triples(("no language",), Detector())
    with pytest.raises(UserError, match="asks one model"):
        Triples(("de",), Detector()).check(2)


def test_the_command_line_and_what_trains_on_its_rows(go, place):
    pytest.importorskip("py3langid")
    data, out = go.folder / "in.jsonl", go.folder / "out.jsonl"
    rows = [{**row, "id": i} for i, row in enumerate(ROWS * 2)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with serving(annotator) as server:
        given = ("annotate", "--task", "open_ie", "--data", data, "--lang", "en", "--into", "de",
                 "--llm", f"openai:tiny@{server.url}", "--out", out)  # fmt: skip
        done = xadapt(*given)
        assert done.code == 0 and "24 rows: " in done.out, done.err
        for wrong in (given[:7] + given[9:], (*given[:1], *given[3:]), (*given, "--agree", "2")):
            done = xadapt(*wrong, "--force")
            assert done.code == 2 and len(done.lines) == 1, done.err
    drawn = "[{name: language_temperature, records: open_triples}]"
    source = f"data.train={{reader: open_triples, dev: 4, transforms: {drawn}}}"
    given = ("--base", place.base, "--data", out, "--lang", "de", "--out", go.folder / "m")
    settings = ("--set", source, "--set", "train.epochs=1", "--set", "dtype=float32")
    good("train", "open_ie_arguments", *given, *settings)
