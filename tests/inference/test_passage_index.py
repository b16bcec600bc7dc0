from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_commands import good, xadapt
from tiny_folders import random_module
from tiny_models import tiny_encoder, tiny_folder

from xadapt.core.errors import UserError
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.passage_index import open_index, retrieve
from xadapt.inference.passage_indexing import index_passages
from xadapt.vectors.query_fusion import fuse

ROWS = [
    ("a", "Cats", "the cat sat on the mat"),
    ("b", "", "ein hund im park"),
    ("c", "Dogs", "the dog sat"),
    ("d", "", "paka ameketi"),
    ("e", "", "die katze"),
]
ASKED = [("c", "where sat the dog"), ("a", "who sat on the mat"), ("c", "ein hund")]


def write(path: Path, rows) -> Path:
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def adapted() -> AdaptedEncoder:
    encoder = tiny_encoder("bert")
    return AdaptedEncoder(encoder, {"m": random_module(encoder, "lora", rank=2)}, "m")


@pytest.fixture
def passages(tmp_path: Path) -> Path:
    return write(tmp_path / "p.tsv", ROWS)


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_the_vectors_are_the_formula_and_shards_change_nothing(
    adapted, passages, tmp_path, similarity
):
    queries = write(tmp_path / "q.tsv", ASKED)
    given = {"base": adapted, "queries": queries, "query_weight": 0.2, "similarity": similarity}
    found = index_passages(passages, tmp_path / "i", **given)
    small = index_passages(passages, tmp_path / "s", shard_rows=2, **given)
    np.testing.assert_allclose(np.asarray(small.vectors), np.asarray(found.vectors), atol=1e-5)

    units = similarity == "cosine"
    texts = [f"{title} {text}".strip() for _, title, text in ROWS]
    plain = adapted.encode_document(texts, normalize_embeddings=units)
    asked = adapted.encode_query([text for _, text in ASKED], normalize_embeddings=units)
    expected = fuse(plain, asked, np.array([2, 0, 2]), 0.2)
    if units:  # normalised before the fusion and after it
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(np.asarray(found.vectors), expected, atol=1e-5)
    assert found.manifest.similarity == similarity
    assert found.manifest.fusion.a == 0.2 and found.manifest.fusion.count == 3
    assert found.manifest.fusion.sha256.startswith("sha256:")
    assert next(iter(found.manifest.modules.values())).startswith("sha256:")
    assert found.manifest.fingerprint == adapted.encoder.identity.to_dict()


def test_a_weight_of_0_is_the_plain_index_bit_for_bit(adapted, passages, tmp_path):
    queries = write(tmp_path / "q.tsv", ASKED)
    plain = index_passages(passages, tmp_path / "plain", base=adapted)
    zero = index_passages(passages, tmp_path / "0", base=adapted, queries=queries, query_weight=0)
    assert np.asarray(zero.vectors).tobytes() == np.asarray(plain.vectors).tobytes()
    file = "part-00000.npy"
    assert (tmp_path / "0" / file).read_bytes() == (tmp_path / "plain" / file).read_bytes()


def test_queries_of_a_function_equal_those_of_a_file_in_any_order(adapted, passages, tmp_path):
    own = {"c": ["where sat the dog", "ein hund"], "a": ["who sat on the mat"]}
    seen = []

    def generate(block):
        seen.extend(passage.id for passage in block)
        return [own.get(passage.id, []) for passage in block]

    one = index_passages(passages, tmp_path / "f", base=adapted, queries=generate, shard_rows=2)
    other = index_passages(
        passages, tmp_path / "q", base=adapted, queries=write(tmp_path / "q.tsv", ASKED[::-1])
    )
    assert seen == [row[0] for row in ROWS]
    np.testing.assert_allclose(np.asarray(one.vectors), np.asarray(other.vectors), atol=1e-5)


def test_queries_get_the_prompt_of_queries_and_no_title(adapted, passages, tmp_path, monkeypatch):
    texts: list[tuple[str, list[str]]] = []
    for name in ("encode_query", "encode_document"):
        real = getattr(AdaptedEncoder, name)

        def watched(self, rows, *more, _name=name, _real=real, **options):
            texts.append((_name, list(rows)))
            return _real(self, rows, *more, **options)

        monkeypatch.setattr(AdaptedEncoder, name, watched)
    queries = write(tmp_path / "q.tsv", ASKED)
    made = index_passages(passages, tmp_path / "i", base=adapted, queries=queries)
    made.search(adapted, ["the dog"])
    assert texts[0] == ("encode_document", [f"{t} {x}".strip() for _, t, x in ROWS])
    assert texts[1] == ("encode_query", ["who sat on the mat", "where sat the dog", "ein hund"])
    assert texts[2] == ("encode_query", ["the dog"])


def test_rows_have_the_tokens_around_a_text(adapted):
    ids = adapted.encoder.tokenizer("the dog")["input_ids"]
    special = set(adapted.encoder.tokenizer.all_special_ids)
    assert ids[0] in special and ids[-1] in special


def test_the_best_passage_comes_first(adapted, passages, tmp_path):
    index_passages(passages, tmp_path / "i", base=adapted, similarity="cosine")
    [[first, *_]] = retrieve(tmp_path / "i", ["ein hund im park"], base=adapted, k=2)
    assert first.passage.id == "b" and first.score == pytest.approx(1, abs=1e-5)
    assert len(retrieve(tmp_path / "i", ["x", "y"], base=adapted, k=99)[1]) == len(ROWS)
    with pytest.raises(UserError, match="list of texts"):
        retrieve(tmp_path / "i", [], base=adapted)


def test_another_base_module_or_composition_is_refused(adapted, passages, tmp_path):
    made = index_passages(passages, tmp_path / "i", base=adapted)
    encoder = adapted.encoder
    other = AdaptedEncoder(encoder, {"m": random_module(encoder, "lora", rank=2, seed=1)}, "m")
    with pytest.raises(UserError, match="modules"):
        made.search(other, ["x"])
    with pytest.raises(UserError, match=r"modules.*now none"):
        made.search(AdaptedEncoder(encoder, {}, None), ["x"])
    strange = AdaptedEncoder(tiny_encoder("bert", seed=5), adapted.modules, "m")
    with pytest.raises(UserError, match="base"):
        made.search(strange, ["x"])
    renamed = AdaptedEncoder(encoder, {"new": adapted.modules["m"]}, "new")
    assert made.search(renamed, ["x"])[1].shape == (1, 5)


def test_faults_leave_nothing_behind(adapted, passages, tmp_path):
    out = tmp_path / "i"
    unknown = write(tmp_path / "u.tsv", [*ASKED, ("nobody", "who")])
    for options, fault in (
        ({"queries": unknown}, "u.tsv:4: there is no passage with the id 'nobody'"),
        ({"queries": lambda block: [["x"]]}, "1 of 5 passages"),
        ({"queries": lambda block: [[None] for _ in block]}, "nothing, not text"),
        ({"query_weight": 2.0}, "not a number from 0 to 1"),
        ({"similarity": "euclidean"}, "cosine or"),
    ):
        with pytest.raises(UserError, match=fault):
            index_passages(passages, out, base=adapted, **options)
        assert not out.exists()
    index_passages(passages, out, base=adapted)
    with pytest.raises(UserError):
        index_passages(passages, out, base=adapted)
    (out / "passages.jsonl").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match="changed"):
        open_index(out)
    with pytest.raises(UserError, match="no index of passages"):
        open_index(tmp_path)


def test_questions_that_were_fused_measure_nothing(adapted, passages, tmp_path):
    queries = write(tmp_path / "q.tsv", ASKED)
    made = index_passages(passages, tmp_path / "i", base=adapted, queries=queries)
    with pytest.raises(UserError, match="'q2' was fused"):
        made.refuse_fused({"q1": "another", "q2": "Ein Hund!"})
    made.refuse_fused({"q1": "another"})


def test_the_commands(passages, tmp_path):
    base = tiny_folder(tmp_path / "base")
    out, questions = tmp_path / "i", write(tmp_path / "a.tsv", [("q1", "the dog sat"), ("q2", "x")])
    given = ("--base", base, "--dtype", "float32")
    queries = write(tmp_path / "q.tsv", ASKED)
    done = good("index", *given, "--passages", passages, "--queries", queries, "--out", out)
    assert "5 passages by cosine, 3 queries fused with weight 0.01" in done.out
    right, run = write(tmp_path / "r.tsv", [("q1", "c"), ("q2", "a")]), tmp_path / "run.txt"
    asked = ("retrieve", out, *given, "--questions", questions)
    done = good(*asked, "--qrels", right, "--out", run, "--json", tmp_path / "r.json")
    assert "Success@1" in done.out and "nDCG@10" in done.out
    assert run.read_text(encoding="utf-8").splitlines()[0].startswith("q1 Q0 ")
    assert set(json.loads((tmp_path / "r.json").read_text())["measures"]) >= {"RR", "Success@10"}
    assert len(good(*asked, "--k", "2").out.splitlines()) == 4
    other = tiny_folder(tmp_path / "other", seed=9)
    bad = xadapt("retrieve", out, "--base", other, "--questions", questions)
    assert bad.code == 2 and "another encoder" in bad.err and "Traceback" not in bad.err
    write(right, [("q1", "nobody")])
    bad = xadapt(*asked, "--qrels", right)
    assert bad.code == 2 and "is not in the index" in bad.err
