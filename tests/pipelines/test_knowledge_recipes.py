"""The recipes of knowledge adapters and EntityCS, from the command to a folder that is measured."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tiny_commands import good, xadapt
from tiny_models import tiny_folder
from tiny_named_graph import graph_folder
from tiny_training import linked_sentences

from xadapt.core.files import read_json
from xadapt.hub.opening import read_manifest
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.training.metrics_log import read_metrics

SMALL = ("--set", "module.width=4", "--set", "train.batch_size=30", "--loaders", "none")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("place")
    tiny_folder(folder / "base", mlm=True)
    graph_folder(folder)
    rows = [
        {"token": ["Berlin", "is", "in", "Germany", "now"], "obj_start": 3, "obj_end": 4,
         "obj_label": "Q2"},
        {"token": ["The", "Spree", "crosses", "Berlin", "twice"], "obj_start": 3, "obj_end": 4,
         "obj_label": "Q1"},
    ]  # fmt: skip
    (folder / "sentences.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    linked = [
        {"text": row.text, "mentions": [{"start": a, "end": b, "id": "Q2" if a else i}
                                        for a, b, i in row.mentions]}
        for row in linked_sentences(40)
    ]  # fmt: skip
    (folder / "linked.jsonl").write_text("".join(json.dumps(r) + "\n" for r in linked))
    return folder


def train(place, name, out, *more, lang="de"):
    base = ("--base", place / "base", "--lang", lang, "--out", out)
    return good("train", name, *base, *SMALL, *more)


def losses(out):
    rows = [row for row in read_metrics(out / "run" / "metrics.jsonl") if "loss" in row]
    assert rows and all(row["loss"] >= 0 for row in rows)
    return rows


@pytest.mark.parametrize("name", ["mlkg_tp", "mlkg_es", "mlkg_ts"])
def test_a_recipe_makes_a_folder(place, tmp_path, name):
    source = place / "sentences.jsonl" if name == "mlkg_ts" else f"kg:{place / 'graph'}"
    out = tmp_path / "m"
    train(place, name, out, "--data", source)
    assert losses(out)[0]["loss"] > 0
    # the base's own pooling, with padding left out, is what the folder is used with
    assert read_manifest(out).pooling is not None


def test_ep_learns_names_and_is_judged_by_them(place, tmp_path):
    out = tmp_path / "m"
    train(place, "mlkg_ep", out, "--data", "cldr", "--set", "data.train.limit=300",
          "--set", "data.train.dev=60", lang="sw")  # fmt: skip
    manifest = read_manifest(out)
    assert {claim.task for claim in manifest.evidence} == {"entities"}
    assert manifest.languages == ["sw"]
    given = ("--base", place / "base", "--module", out, "--data", "cldr", "--pool", "test")
    good("evaluate", "entities", *given, "--json", tmp_path / "r.json")
    assert read_json(tmp_path / "r.json")["lang"] == "sw"


def test_one_module_for_several_languages(place, tmp_path):
    out = tmp_path / "m"
    train(place, "mlkg_ep", out, "--data", "cldr", "--joint", "--set", "data.train.limit=60",
          "--set", "data.train.dev=20", lang="sw,de")  # fmt: skip
    assert read_manifest(out).languages == ["sw", "de"]


def test_excluded_links_are_in_the_manifest(place, tmp_path):
    links = tmp_path / "test.tsv"
    links.write_text("Q4\tQ4\n", encoding="utf-8")
    out = tmp_path / "m"
    train(place, "mlkg_ep", out, "--data", f"kg:{place / 'graph'}", "--set", "data.train.dev=0",
          "--set", f"data.train.options.exclude_links={links}")  # fmt: skip
    [share] = read_manifest(out).data
    assert share.rows == 2 and share.excluded[0].name == "test.tsv"
    assert len(share.excluded[0].sha256) == 64


def test_the_big_one_learns_all_four_losses_in_each_step(place, tmp_path):
    out = tmp_path / "m"
    graph = f"kg:{place / 'graph'}"
    given = [x for name in ("names", "facts", "texts") for x in ("--data", f"{name}={graph}")]
    train(place, "mlkg_one", out, *given, "--data", f"sentences={place / 'sentences.jsonl'}")
    first = losses(out)[0]
    for name in ("entity_label", "triple_phrase", "entity_sentence", "triple_sentence"):
        assert f"loss/{name}" in first
    assert first["loss"] == pytest.approx(sum(first[f"loss/{o}"] for o in (
        "entity_label", "triple_phrase", "entity_sentence", "triple_sentence")))  # fmt: skip


def test_modules_that_were_trained_apart_are_fused(place, tmp_path):
    graph = f"kg:{place / 'graph'}"
    ep, tp, fused = tmp_path / "ep", tmp_path / "tp", tmp_path / "fused"
    train(place, "mlkg_ep", ep, "--data", graph, "--set", "data.train.dev=0")
    train(place, "mlkg_tp", tp, "--data", graph)
    base = ("--base", place / "base", "--lang", "de", "--loaders", "none")
    good("train", "mlkg_fused", *base, "--out", fused, "--data", f"names={graph}",
         "--data", f"facts={graph}", "--compose", f"fuse(self; {ep}, {tp})")  # fmt: skip
    assert losses(fused)[0]["loss/triple_phrase"] >= 0
    given = ("--base", place / "base", "--data", "cldr", "--pool", "test", "--lang", "de")
    named = {"ep": ep, "tp": tp, "fused": fused}
    modules = [x for n, m in named.items() for x in ("--module", f"{n}={m}")]
    # weights that are learnt as attention, weights of a search on the graph, a choice by row
    good("evaluate", "entities", *given, *modules, "--compose", "fuse(fused; ep, tp)")
    few = ("--few-shot", graph, "--lang", "de", "--budget", 8, "--loaders", "none")
    done = good("compose", "mix(ep, tp)", "--base", place / "base", *modules[:4], *few,
                "--out", tmp_path / "mixed", "--json", tmp_path / "found.json")  # fmt: skip
    assert "found mix(ep" in done.out
    found = read_json(tmp_path / "found.json")
    assert found["examples"]["rows"] == 6 and len(found["best"]["weights"]) == 2
    good("evaluate", "entities", *given, "--module", tmp_path / "mixed")
    encoder = AdaptedEncoder.load(str(place / "base"), f"ep={ep}", f"tp={tp}", dtype="float32",
                                  compose="mix(ep, tp)")  # fmt: skip
    both = encoder.encode(["Berlin", "Berlin"], compositions=["ep", "tp"])
    for vector, name in zip(both, ("ep", "tp"), strict=True):
        np.testing.assert_allclose(vector, encoder.with_(name).encode(["Berlin"])[0], atol=1e-5)


def test_a_graph_as_examples_needs_its_language(place, tmp_path):
    graph = f"kg:{place / 'graph'}"
    for name in ("ep", "tp"):
        train(place, f"mlkg_{name}", tmp_path / name, "--data", graph, "--set", "data.train.dev=0")
    given = ("compose", f"mix({tmp_path}/ep, {tmp_path}/tp)", "--base", place / "base", "--out",
             tmp_path / "m")  # fmt: skip
    for more, said in (
        (("--few-shot", graph), "Add --lang"),
        (("--few-shot", graph, "--lang", "fr"), "no names in 'fr'"),
        (("--few-shot", "kg:nowhere", "--lang", "de"), "no such folder"),
    ):
        done = xadapt(*given, *more)
        assert done.code == 2 and len(done.lines) == 1 and said in done.err, done.err
        assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    "name", ["entity_cs", "entity_cs_wep", "entity_cs_pep_mrs", "entity_cs_pep_m"]
)
def test_entity_cs_switches_and_masks(place, tmp_path, name):
    out = tmp_path / "m"
    names = f"names=kg:{place / 'graph'}"
    lora = ("--set", "module.rank=2")
    base = ("--base", place / "base", "--lang", "de,sw", "--joint", "--out", out)
    more = ("--set", f"data.train.transforms.0.{names}", "--set", "data.train.dev=10")
    done = good("train", name, *base, *lora, *more, "--data", place / "linked.jsonl",
                "--set", "train.batch_size=30", "--loaders", "none")  # fmt: skip
    assert "switched sentences" in done.err
    manifest = read_manifest(out)
    assert manifest.languages == ["de", "sw"]
    assert {claim.task for claim in manifest.evidence} == {"masked_entity"}


def test_mistakes_are_one_line(place, tmp_path):
    given = ("--base", place / "base", "--lang", "de", "--out", tmp_path / "m")
    for name, data, said in (
        ("mlkg_ep", "kg:nowhere", "no such folder"),
        ("mlkg_ep", "names.tsv", "no layout"),
        ("mlkg_tp", "cldr:xx:yy", ""),
        ("mlkg_es", "cldr", "no description"),
    ):
        done = xadapt("train", name, *given, "--data", data)
        assert done.code == 2 and len(done.lines) == 1 and said in done.err
        assert not (tmp_path / "m" / "xadapt.json").exists()
