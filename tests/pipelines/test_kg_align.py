from __future__ import annotations

import io
import json

import numpy as np
import pytest
from rich.console import Console
from tiny_models import tiny_encoder
from twin_graphs import name, twins, write_twins

from xadapt.core.errors import UserError
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.pipelines.kg_align import align_graphs
from xadapt.pipelines.kg_page import page_of
from xadapt.pipelines.kg_structure import train_structure

LEFT, RIGHT, LINKS = twins()


@pytest.fixture(scope="module")
def shape(tmp_path_factory):
    folder = tmp_path_factory.mktemp("structure") / "shape"
    train_structure(folder, left=LEFT, right=RIGHT, links=LINKS, dim=64, rounds=2)
    return folder


@pytest.fixture(scope="module")
def encoder():
    return AdaptedEncoder(tiny_encoder("bert"), {})


def scores(aligned, system):
    return aligned.result[system].scores["mrr forward"].mean


def test_names_alone_without_links():
    found = align_graphs(LEFT, RIGHT, names=True)
    gold = dict(LINKS.pairs)
    rows = list(found.rows())
    assert [row[0] for row in rows] == list(LEFT.entities)
    right = sum(gold[row[0]] == row[1] for row in rows)
    assert right > 50 and found.result is None and (found.verdicts == -1).all()
    assert all(row[3] == "1" and float(row[4]) >= 0 for row in rows)
    assert found.weights == {"names": 1.0}


def test_the_sum_is_at_least_as_good_as_each_view_and_says_its_weights(shape):
    found = align_graphs(LEFT, RIGHT, links=LINKS, names=True, structure=shape, csls=5,
                         resamples=20)  # fmt: skip
    assert list(found.weights) == ["names", "structure"]
    assert sum(found.weights.values()) == pytest.approx(1)
    assert scores(found, "sum") >= max(scores(found, "names"), scores(found, "structure")) - 0.05
    assert [row.system for row in found.result.rows] == ["names", "structure", "sum", "sum, CSLS"]
    assert found.facts["weights_from"] == "equal"  # 15 dev links are too few
    assert "fewer than 20 dev links" in found.notes[0]
    assert found.result.facts["pool"] == "all"
    assert found.result.facts["queries"] == {"forward": 15, "backward": 15}
    assert found.result.facts["pool_size"] == {"forward": 60, "backward": 60}
    json.dumps(found.to_dict(), allow_nan=False)


def test_dev_links_choose_the_weights():
    left, right, links = twins(120, 600)
    found = align_graphs(left, right, links=links, names=True, base=_noise(), resamples=5)
    assert found.facts["weights_from"] == "30 dev links"
    assert found.weights["names"] >= 0.9


def _noise():
    return AdaptedEncoder(tiny_encoder("bert", seed=3), {})


def test_the_pool_of_test_entities(shape):
    found = align_graphs(LEFT, RIGHT, links=LINKS, structure=shape, pool="test", resamples=5)
    assert len(found.matches) == 15
    assert found.result.facts["pool_size"] == {"forward": 15, "backward": 15}
    test = dict(LINKS.of("test").pairs)
    rows = list(found.rows())
    assert {row[0] for row in rows} == set(test) and {row[1] for row in rows} <= set(test.values())
    right = [test[row[0]] == row[1] for row in rows]
    assert found.verdicts.tolist() == [int(one) for one in right]
    assert found.facts["precision"] == pytest.approx(np.mean(right)) == found.facts["recall"]


@pytest.mark.parametrize("pairing", ["mutual", "one-to-one"])
def test_pairs_of_a_pairing_hold_each_entity_once(pairing, shape):
    found = align_graphs(LEFT, RIGHT, links=LINKS, names=True, structure=shape, resamples=5,
                         pairing=pairing)  # fmt: skip
    rows = list(found.rows())
    assert len({row[1] for row in rows}) == len(rows) > 40
    if pairing == "one-to-one":
        assert len(rows) == 60 and found.facts["assignment"] == "all scores"
    assert found.facts["precision"] >= 0.9


def test_several_candidates_of_an_entity():
    rows = list(align_graphs(LEFT, RIGHT, names=True, top=3).rows())
    assert len(rows) == 180 and [row[3] for row in rows[:3]] == ["1", "2", "3"]
    scores_ = [float(row[2]) for row in rows[:3]]
    assert scores_ == sorted(scores_, reverse=True)
    assert float(rows[1][4]) <= 0 <= float(rows[0][4])


def test_known_links_are_left_out():
    found = align_graphs(LEFT, RIGHT, names=True, train_links=LINKS.of("train", "dev"))
    known = LINKS.of("train", "dev").entities()
    rows = list(found.rows())
    assert len(rows) == 15 and not {cell for row in rows for cell in row[:2]} & known
    with pytest.raises(UserError, match="linked already"):
        whole = LINKS.of("train", "dev", "test")
        align_graphs(LEFT, RIGHT, names=True, train_links=_all_known(whole))


def _all_known(links):
    from xadapt.data.graphs.links import make_links

    return make_links("known", links.pairs, "train")


def test_vectors_of_names(encoder):
    found = align_graphs(LEFT, RIGHT, links=LINKS, base=encoder, resamples=5)
    vectors = [encoder.encode([name(i, lang) for i in range(60)]) for lang in ("de", "en")]
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in vectors]
    best = (unit[0] @ unit[1].T).max(axis=1)
    assert found.matches.scores == pytest.approx(best, abs=1e-5)
    assert [row.system for row in found.result.rows] == ["text"]


def test_self_training_uses_no_test_link(shape):
    once = align_graphs(LEFT, RIGHT, links=LINKS, names=True, structure=shape, rounds=2,
                        resamples=5)  # fmt: skip
    other = LINKS.of("test")
    shuffled = type(LINKS)("x", tuple(zip([a for a, _ in other.pairs],
                                          [b for _, b in other.pairs[::-1]], strict=True)),
                           other.parts)  # fmt: skip
    again = align_graphs(LEFT, RIGHT, links=shuffled, names=True, structure=shape, rounds=2,
                         weights=dict(once.weights), resamples=5)  # fmt: skip
    assert [row[:2] for row in once.rows()] == [row[:2] for row in again.rows()]
    assert scores(again, "sum") < 0.3 < scores(once, "sum")
    assert sum("counted as linked" in note for note in once.notes) == 2


def test_the_table_of_pairs_is_written_whole_or_not_at_all(tmp_path):
    out = tmp_path / "pairs.tsv"
    found = align_graphs(LEFT, RIGHT, names=True, out=out)
    lines = out.read_text(encoding="utf-8").splitlines()
    assert lines[0].split("\t") == ["src", "tgt", "score", "rank", "margin"] and len(lines) == 61
    assert lines[1].split("\t") == list(next(found.rows()))
    stream = io.StringIO()
    Console(file=stream, width=80).print(found.table())
    assert "60" in stream.getvalue()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "no view is named"),
        ({"names": True, "pairing": "best!"}, "unknown pairing"),
        ({"names": True, "pool": "tset"}, "unknown pool"),
        ({"names": True, "pool": "test"}, "no test links"),
        ({"names": True, "csls": -1}, "below 0"),
        ({"names": True, "top": 0}, "below 1"),
        ({"names": True, "top": 2, "pairing": "mutual"}, "does nothing"),
        ({"names": True, "rounds": 1}, "needs a structure"),
        ({"names": True, "index": "faiss"}, "spelling has none"),
        ({"names": True, "modules": "m"}, "modules need the base"),
        ({"names": True, "weights": "text=1"}, "unknown view"),
        ({"structure": "nowhere"}, "no folder of structure"),
    ],
)
def test_wrong_options_are_one_line_and_write_nothing(given, said, tmp_path):
    with pytest.raises(UserError) as fault:
        align_graphs(LEFT, RIGHT, out=tmp_path / "x.tsv", **given)
    assert said in str(fault.value) and "\n" not in str(fault.value)
    assert list(tmp_path.iterdir()) == []


def test_files_and_structure_of_other_graphs(tmp_path, shape):
    left, right, links = write_twins(tmp_path)
    found = align_graphs(left, right, links=links, names=True, resamples=5)
    assert scores(found, "names") > 0.9
    with pytest.raises(UserError, match="another graph"):
        align_graphs(RIGHT, LEFT, structure=shape)


def test_the_page_has_names_facts_and_what_the_links_say(shape):
    found = align_graphs(LEFT, RIGHT, links=LINKS, names=True, structure=shape, resamples=5)
    page = page_of(found)
    assert len(page.pairs) == page.total == 60 and (page.left_lang, page.right_lang) == ("de", "en")
    first = page.pairs[0]
    assert first.left == "de0" and first.left_name == name(0, "de")
    assert first.left_facts and all(":" in line for line in first.left_facts)
    said = [pair.verdict for pair in page.pairs]
    assert said.count("") == 45 and said.count("right") >= 10
    few = page_of(found, most=7)
    assert len(few.pairs) == 7 and few.total == 60 and "smallest lead" in few.notes[-1]
    worst = sorted(pair.margin for pair in page.pairs)[:7]
    assert sorted(pair.margin for pair in few.pairs) == pytest.approx(worst)
