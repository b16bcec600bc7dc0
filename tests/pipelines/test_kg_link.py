from __future__ import annotations

import io
import json

import numpy as np
import pytest
from rich.console import Console
from tiny_graphs import write
from tiny_models import tiny_encoder

from xadapt.core.errors import UserError
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.pipelines import kg_link
from xadapt.pipelines.kg_link import link_mentions
from xadapt.pipelines.unfinished import UNFINISHED

NAMES = "C1\theadache\nC1\tcephalalgia\nC2\tfever\nC3\tbroken arm\n"
TEXTS = "headaches\tC1\nfevers\tC2\nbroken arms\tC3\nbroken leg\tC9\nunknown\n"


@pytest.fixture
def files(tmp_path):
    return write(tmp_path, {"en.tsv": NAMES, "asked.tsv": TEXTS})


@pytest.fixture(scope="module")
def encoder():
    return AdaptedEncoder(tiny_encoder("bert"), {})


def linked(files, **more):
    return link_mentions(str(files / "asked.tsv"), f"en={files}/en.tsv", resamples=20, **more)


def test_spelling_alone_with_coverage_and_missing_concepts_as_misses(files):
    found = linked(files, top=2)
    rows = list(found.rows())
    assert [row["candidates"][0]["concept"] for row in rows[:3]] == ["C1", "C2", "C3"]
    assert rows[0]["candidates"][0]["name"] == "headache"
    assert all(len(row["candidates"]) == 2 for row in rows)
    assert rows[3]["ranks"] == {"spelling": None} and "ranks" not in rows[4]
    value = found.to_dict()
    assert value["coverage"] == 0.75 and value["measured"] == 4 and value["mentions"] == 5
    assert value["scores"]["spelling"]["R@1"]["mean"] == 0.75
    assert value["scores"]["spelling"]["MRR"]["mean"] == 0.75
    json.dumps(value, allow_nan=False)
    json.dumps(rows, allow_nan=False)


def test_no_concept_is_an_answer(files):
    scores = [row["candidates"][0]["score"] for row in linked(files).rows()]
    assert min(scores[:3]) > max(scores[3:])
    found = linked(files, nil=min(scores[:3]))
    rows = list(found.rows())
    assert [row["nil"] for row in rows] == [False, False, False, True, True]
    assert found.to_dict()["answers"]["mean"] == 1 and found.to_dict()["nil"] == 2
    assert linked(files).to_dict()["answers"]["mean"] == 0.75


def test_both_views_with_an_encoder(files, encoder):
    found = linked(files, base=encoder)
    assert found.systems == ("spelling", "vectors", "ensemble")
    first = next(iter(found.rows()))["candidates"][0]
    assert first["score"] == pytest.approx((first["spelling"] + first["vectors"]) / 2, abs=1e-5)
    alone = linked(files, base=encoder, spelling=False)
    assert list(alone.to_dict()["scores"]) == ["vectors"]
    spelt = found.to_dict()["scores"]["spelling"]
    assert spelt == linked(files).to_dict()["scores"]["spelling"]


def test_mentions_of_several_languages_are_measured_apart(files):
    rows = "de\td\tKopf headache\t5\t13\theadache\tC1\nfr\td\tfever\t0\t5\tfever\tC3\n"
    write(files, {"two.tsv": rows})
    found = link_mentions(str(files / "two.tsv"), f"en={files}/en.tsv", resamples=20)
    by_language = found.to_dict()["by_language"]
    assert by_language["de"]["scores"]["spelling"]["R@1"]["mean"] == 1
    assert by_language["fr"]["scores"]["spelling"]["R@1"]["mean"] == 0
    console = Console(file=io.StringIO(), width=80)
    console.print(found.table())
    text = console.file.getvalue()
    assert "de" in text and "all" in text and max(map(len, text.splitlines())) <= 80


def test_texts_in_a_list(files):
    found = link_mentions(["fevers", "arm"], [f"en={files}/en.tsv"], top=1)
    assert [row["candidates"][0]["concept"] for row in found.rows()] == ["C2", "C3"]


def test_a_cut_run_goes_on_and_gives_the_same_file(files, monkeypatch):
    monkeypatch.setattr("xadapt.tasks.kg.concept_index.CELLS", 8)  # two mentions at a time
    whole, out = files / "whole.jsonl", files / "out.jsonl"
    linked(files, out=whole)
    real, calls = kg_link._Maker.rows, []

    def cut(self, block):
        calls.append([mention.text for mention in block])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(self, block)

    monkeypatch.setattr(kg_link._Maker, "rows", cut)
    with pytest.raises(KeyboardInterrupt):
        linked(files, out=out)
    left = out.with_name(out.name + UNFINISHED)
    assert left.is_dir() and not out.exists()
    told = []
    found = linked(files, out=out, report=told.append)
    assert out.read_bytes() == whole.read_bytes() and not left.exists()
    assert calls[2] == calls[1] == ["broken arms", "broken leg"]
    assert told == ["2 mentions are done already"] and found.ranks.mentions == 5


def test_unfinished_rows_of_other_inputs_are_refused(files, monkeypatch):
    out = files / "out.jsonl"

    def cut(self, path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(kg_link.Journal, "finish", cut)
        with pytest.raises(KeyboardInterrupt):
            linked(files, out=out)
    (files / "en.tsv").write_text(NAMES + "C4\tcough\n")
    with pytest.raises(UserError, match="another value of names"):
        linked(files, out=out)
    linked(files, out=out, restart=True)
    assert len(out.read_text().splitlines()) == 5
    assert not out.with_name(out.name + UNFINISHED).exists()


def test_a_mistake_after_the_journal_was_opened_leaves_nothing(files):
    before = sorted(files.iterdir())
    with pytest.raises(UserError, match="nothing is compared"):
        linked(files, out=files / "out.jsonl", spelling=False)
    assert sorted(files.iterdir()) == before


def test_a_reranker_orders_the_candidates_and_may_answer_none(files, monkeypatch):
    def judge(lists):
        return [
            np.array([0.9 if name.startswith("fever") else 0.1 for name in own], np.float32)
            for _, own in lists
        ]

    monkeypatch.setattr(kg_link, "open_judge", lambda base, folder, dtype: judge)
    monkeypatch.setattr(kg_link, "open_encoder", lambda *_: None)
    found = linked(files, base="mini", reranker="folder", rerank_weight=1.0, nil=0.5, top=2)
    rows = list(found.rows())
    assert rows[1]["candidates"][0]["concept"] == "C2" and not rows[1]["nil"]
    assert rows[1]["candidates"][0]["same"] == pytest.approx(0.9)
    assert found.systems[-1] == "reranked"
    for row in rows[:4]:
        own = [one["concept"] for one in row["candidates"]]
        place = own.index(row["right"][0]) + 1 if row["right"][0] in own else None
        assert row["ranks"]["reranked"] == (row["ranks"]["spelling"] if place is None else place)


def test_the_threshold_is_that_of_development_mentions(files):
    lines = [line for line in TEXTS.splitlines() if "\t" in line]
    write(files, {"dev.tsv": "\n".join(lines), "none.tsv": "fever\n"})
    told = []
    found = linked(files, dev=str(files / "dev.tsv"), report=told.append, out=files / "o.jsonl")
    value = found.to_dict()
    assert value["chosen"]["answers"] == 1 and value["chosen"]["mentions"] == 4
    assert value["nil"] == 2 and value["answers"]["mean"] == 1
    assert len(told) == 1 and told[0].startswith("chosen on 4 mentions: no concept below")
    same = linked(files, nil=value["chosen"]["nil"])
    assert same.to_dict()["answers"] == value["answers"]
    assert linked(files, dev=str(files / "dev.tsv"), nil=0.0).to_dict()["nil"] == 0
    with pytest.raises(UserError, match="no mention has a concept"):
        linked(files, dev=str(files / "none.tsv"))


def test_pairs_for_training(files):
    out, pairs = files / "out.jsonl", files / "pairs.tsv"
    linked(files, out=out, pairs=pairs, top=2)
    rows = [line.split("\t") for line in pairs.read_text(encoding="utf-8").splitlines()]
    assert ["headaches", "headache; cephalalgia", "same"] in rows
    assert sum(row[2] == "same" for row in rows) == 3  # C9 has no name
    assert sum(row[0] == "broken leg" for row in rows) == 2
    write(files, {"plain.tsv": "fever\n"})
    with pytest.raises(UserError, match="no pairs"):
        link_mentions(str(files / "plain.tsv"), f"en={files}/en.tsv", pairs=files / "p.tsv")
    assert not (files / "p.tsv").exists()


def test_the_page(files):
    found = linked(files)
    found.write_page(files / "page.html", most=3)
    text = (files / "page.html").read_text(encoding="utf-8")
    assert "3 of 5" in text and "R@1 spelling" in text


def test_mistakes_are_one_line(files):
    for more, said in (
        ({"top": 0}, "below 1"),
        ({"weight": 1.5}, "from 0 to 1"),
        ({"nil": -1}, "from 0 to 1"),
        ({"spelling": False}, "nothing is compared"),
        ({"reranker": "x"}, "a re-ranker needs its base"),
        ({"modules": "x"}, "modules need the base"),
        ({"lang": "not a tag"}, "tag"),
    ):
        with pytest.raises(UserError, match=said):
            linked(files, **more)
    with pytest.raises(UserError, match="no such file"):
        link_mentions(str(files / "none.tsv"), f"en={files}/en.tsv")


def test_names_are_encoded_once_over_a_cut(files, encoder, monkeypatch):
    """Names in two languages: after a cut, each later name keeps the module of its language."""
    monkeypatch.setattr("xadapt.tasks.kg.name_vectors.BLOCK", 2)
    write(files, {"de.tsv": "C2\tFieber\nC3\tArmbruch\n"})
    asked = []

    class Watched(AdaptedEncoder):
        stop = 2

        def encode(self, texts, languages=None, **options):
            asked.append(list(zip(texts, languages, strict=True)))
            if len(asked) > Watched.stop:
                raise KeyboardInterrupt
            return super().encode(texts, **options)

    model, out = Watched(encoder.encoder, {}), files / "out.jsonl"
    given = [f"en={files}/en.tsv", f"de={files}/de.tsv"]
    with pytest.raises(KeyboardInterrupt):
        link_mentions(str(files / "asked.tsv"), given, base=model, out=out)
    assert out.with_name(out.name + UNFINISHED).is_dir()
    Watched.stop = 99
    found = link_mentions(str(files / "asked.tsv"), given, base=model, out=out)
    assert asked[3] == asked[2] and [lang for _, lang in asked[3]] == ["en", "de"]
    names = [pair for block in (*asked[:2], asked[3]) for pair in block]
    assert [name for name, _ in names] == list(found.concepts.names)
    assert sorted(p.name for p in files.iterdir()) == ["asked.tsv", "de.tsv", "en.tsv", "out.jsonl"]
    twin = link_mentions(str(files / "asked.tsv"), given, base=encoder, out=files / "twin.jsonl")
    assert (files / "twin.jsonl").read_bytes() == out.read_bytes() and twin.ranks == found.ranks
