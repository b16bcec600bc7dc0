from __future__ import annotations

import json
from typing import ClassVar

import numpy as np
import pytest
from tiny_graphs import lines, write
from tiny_models import tiny_encoder
from twin_graphs import twins

from xadapt.core.errors import UserError
from xadapt.data.graphs.graph import KnowledgeGraph, names_of
from xadapt.data.readers.name_files import ScoredName, read_names
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.pipelines import kg_names
from xadapt.pipelines.kg_names import vote_names
from xadapt.pipelines.unfinished import UNFINISHED

GRAPH = KnowledgeGraph(
    "world",
    ("Q1", "Q2"),
    names_of(("Q1", "Q2"), {"en": [(0, "earth"), (1, "moon")], "fr": [(0, "terre")]}),
    descriptions=names_of(("Q1", "Q2"), {"en": [(0, "third planet")]}),
)


class Words:
    """A translator by a table; it loses the quotes of one text."""

    facts: ClassVar[dict[str, str]] = {"translator": "words", "version": "1"}

    def translate(self, texts, source, target):
        assert target == "de"
        said = {'"earth": third planet': "„Erde“: dritter Planet", "moon": "Mond", "terre": "Erde"}
        return [said.get(text, "?") for text in texts]


@pytest.fixture
def files(tmp_path):
    write(
        tmp_path,
        {
            "a.jsonl": lines({"wikidata_id": "Q1", "values": ["Erde"], "primary": [True]}),
            "b.tsv": "Q1\tTerra\nQ2\tMond\n",
            "gold.jsonl": lines(
                {"wikidata_id": "Q1", "correct_values": ["Erde"], "incorrect_values": ["Terra"]},
                {"wikidata_id": "Q2", "correct_values": ["Mond"], "incorrect_values": []},
            ),
        },
    )
    return tmp_path


def test_files_and_translators_vote_and_the_names_are_a_source_again(files):
    out = files / "names.jsonl"
    found = vote_names(
        [f"lm={files}/a.jsonl", str(files / "b.tsv")], lang="de", graph=GRAPH, translators=Words(),
        gold=files / "gold.jsonl", out=out, resamples=20,
    )  # fmt: skip
    assert found.sources == {"lm": 1, "b.tsv": 2, "words en": 2, "words fr": 1}
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert rows == [
        {
            "wikidata_id": "Q1", "values": [[3, "Erde", True]],
            "sources": [["lm", "words en", "words fr"]],
        },
        {"wikidata_id": "Q2", "values": [[2, "Mond", True]], "sources": [["b.tsv", "words en"]]},
    ]  # fmt: skip
    assert found.scores["coverage F1"].mean == 1
    assert found.scores["check R"].mean == 0  # b.tsv confirms the wrong name
    assert read_names(str(out))["Q1"] == (ScoredName("Erde", 3, True),)
    again = vote_names([str(out)], lang="de", scored=True, gold=files / "gold.jsonl", resamples=20)
    assert again.to_dict()["scores"]["coverage F1"] == found.to_dict()["scores"]["coverage F1"]
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_graph_is_a_source_in_the_language(tmp_path):
    write(tmp_path, {"entities.tsv": "Q1\n", "names_sw.tsv": "Q1\tdunia\n"})
    source = f"kg:{tmp_path}"
    found = vote_names({"graph": source}, lang="sw", min_votes=1)
    assert list(found.rows()) == [
        {"wikidata_id": "Q1", "values": [[1, "dunia", True]], "sources": [["graph"]]}
    ]


def fake(monkeypatch, vectors):
    """Vectors by text, in place of those of the encoder."""
    own = {text: np.array(row, np.float32) for text, row in vectors.items()}
    monkeypatch.setattr(
        AdaptedEncoder, "encode", lambda self, texts, **_: np.stack([own[t] for t in texts])
    )
    return AdaptedEncoder(tiny_encoder("bert"), {})


def test_retrieval_is_a_source_and_a_far_name_is_not_taken(files, monkeypatch):
    pool = files / "pool.tsv"
    pool.write_text("x\tErde\nx\tMond\nx\tSonne\n")
    encoder = fake(monkeypatch, {
        "Erde": [1, 0, 0], "Mond": [0, 1, 0], "Sonne": [0, 0, 1],
        "earth": [0.9, 0.1, 0], "terre": [0.5, 0.5, 0.5], "moon": [0.1, 0.6, 0.5],
    })  # fmt: skip
    found = vote_names(
        {"lm": f"{files}/a.jsonl"}, lang="de", graph=GRAPH, pool=str(pool), base=encoder, least=0.8
    )
    assert found.sources["retrieved"] == 1  # terre and moon have no name at cosine .8
    assert [row["wikidata_id"] for row in found.rows()] == ["Q1"]
    without = vote_names({"lm": f"{files}/a.jsonl"}, lang="de", pool=str(pool), base=encoder)
    assert without.voted["Q1"][0].votes == 2  # the voted name itself was looked up


def test_merged_spellings(files, monkeypatch):
    encoder = fake(monkeypatch, {"Erde": [1, 0.1], "Terra": [1, 0], "Mond": [0, 1]})
    given = [f"{files}/a.jsonl", f"{files}/b.tsv"]
    found = vote_names(given, lang="de", base=encoder, merge=0.9)
    assert [(n.name, n.votes) for n in found.voted["Q1"]] == [("Erde", 2), ("Terra", 2)]
    apart = vote_names(given, lang="de", base=encoder, merge=0.999)
    assert [n.votes for n in apart.voted["Q1"]] == [1, 1] and not list(apart.rows())


def test_a_real_encoder_merges_equal_texts_only_at_cosine_one(files):
    encoder = AdaptedEncoder(tiny_encoder("bert"), {})
    plain = vote_names([f"{files}/a.jsonl", f"{files}/b.tsv"], lang="de")
    merged = vote_names([f"{files}/a.jsonl", f"{files}/b.tsv"], lang="de", base=encoder, merge=1.0)
    assert merged.voted == plain.voted


def test_the_page_has_the_least_sure_names(files):
    found = vote_names(
        [f"{files}/a.jsonl", f"{files}/b.tsv"], lang="de", min_votes=1, gold=files / "gold.jsonl",
        resamples=20,
    )  # fmt: skip
    pairs = list(found._pairs())
    assert [(p.left, p.right, p.margin, p.verdict) for p in pairs] == [
        ("Q1", "Erde", 0, "right"), ("Q2", "Mond", 1, "right")
    ]  # fmt: skip
    found.write_page(files / "page.html", most=1)
    text = (files / "page.html").read_text(encoding="utf-8")
    assert "Erde" in text and "1 of 2" in text and '"Mond"' not in text


def test_mistakes_are_one_line(files):
    left = twins(4, 8)[0]
    source = f"{files}/a.jsonl"
    for more, said in (
        ({"merge": 0.9}, "compares vectors"),
        ({"pool": source}, "compares vectors"),
        ({"base": "mini"}, "base would do nothing"),
        ({"graph": GRAPH}, "graph would do nothing"),
        ({"translators": Words()}, "need names in other languages"),
        ({"from_langs": "en"}, "languages of --graph"),
        ({"graph": GRAPH, "translators": Words(), "from_langs": "sw"}, "no names in 'sw'"),
        ({"graph": left, "translators": Words()}, "no names in other languages"),
        ({"graph": GRAPH, "translators": "nonsense:"}, "unknown translator"),
        ({"min_votes": 0}, "below 1"),
        ({"merge": 1.5}, "from 0 to 1"),
        ({"gold": source}, "no checked names"),
    ):
        with pytest.raises(UserError, match=said):
            vote_names([source], lang="de", **more)
    with pytest.raises(UserError, match="two sources"):
        vote_names([f"a={source}", f"a={source}"], lang="de")
    with pytest.raises(UserError, match="no source gives"):
        vote_names({"a": {}}, lang="de")


def test_a_cut_vote_keeps_the_vectors_of_names(files, monkeypatch):
    encoder, out = AdaptedEncoder(tiny_encoder("bert"), {}), files / "names.jsonl"
    given = [f"lm={files}/a.jsonl", str(files / "b.tsv")]

    def cut(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(kg_names, "vote", cut)
        with pytest.raises(KeyboardInterrupt):
            vote_names(given, lang="de", base=encoder, merge=0.9, out=out)
    left = out.with_name(out.name + UNFINISHED)
    assert left.is_dir() and not out.exists()
    monkeypatch.setattr(encoder, "encode", cut)
    found = vote_names(given, lang="de", base=encoder, merge=0.9, out=out, min_votes=1)
    assert found.voted and out.exists() and not left.exists()
