"""The recipes for encoder-decoders, from the command to a module that is opened and writes."""

from __future__ import annotations

import json

import pytest
import torch
from tiny_commands import good, xadapt
from tiny_seq2seq_training import rows, small_folder
from tiny_training import pairs, plain

import xadapt as package
from xadapt.core.errors import UserError
from xadapt.core.files import read_json
from xadapt.hub.opening import read_manifest


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Bases and data of the three recipes."""
    folder = tmp_path_factory.mktemp("place")
    small_folder(folder / "t5")
    small_folder(folder / "m2m", "m2m_100")
    lines = [json.dumps({"source": r.source, "target": r.target}) for r in rows(60)]
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    tsv = [f"{p.pivot}\t{p.text}\n" for p in pairs(60)]
    (folder / "pairs.tsv").write_text("".join(tsv), encoding="utf-8")
    text = "".join(f"{p.text}\n" for p in plain(60))
    (folder / "domain.txt").write_text(text, encoding="utf-8")
    return folder


CASES = {
    "text_to_text": ("t5", "rows.jsonl", "en"),
    "translation": ("m2m", "pairs.tsv", "de"),
    "domain_seq2seq": ("t5", "domain.txt", "de"),
}
SMALL = ("module.rank=2", "train.epochs=1", "train.batch_size=16", "data.train.dev=10")


def command(place, name, out, *more):
    base, data, lang = CASES[name]
    settings = [part for one in SMALL for part in ("--set", one)]
    return (
        "train", name, "--base", place / base, "--data", place / data, "--lang", lang, "--out", out,
        *settings, *more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(place):
    """A finished module of each recipe."""
    for name in CASES:
        good(*command(place, name, place / name))
    return place


@pytest.mark.parametrize("name", CASES)
def test_a_recipe_makes_a_verified_module_with_evidence(trained, name):
    manifest = read_manifest(trained / name)
    assert manifest.backbone == "seq2seq" and manifest.module.kind == "lora"
    assert manifest.loaders["peft"].status == manifest.loaders["transformers"].status == "verified"
    for claim in manifest.evidence:
        assert claim.metric == "token probability" and claim.base and claim.controls
    assert bool(manifest.evidence) == (name != "domain_seq2seq")  # no plain text is held out
    assert (manifest.pivot == "en") == (name == "translation")
    base = str(trained / CASES[name][0])
    found = good("verify", trained / name, "--base", base)
    assert " passed, 0 failed, 0 not checked" in found.out.splitlines()[-1].replace(
        "1 not checked",
        "0 not checked",  # the folder is not signed
    )
    model = package.load_seq2seq(base, trained / name)
    both = {"lang": "en", "into": "de"} if name == "translation" else {}
    assert len(model.write(["the cat sat", "a dog"], max_new_tokens=5, **both)) == 2


def test_a_finished_module_is_taken_again_and_another_recipe_is_refused(trained):
    folder = trained / "text_to_text"
    done = good(*command(trained, "text_to_text", folder, "--resume"))
    assert "holds the finished module already" in done.err
    done = xadapt(*command(trained, "text_to_text", folder, "--resume", "--set", "seed=4"))
    assert done.code == 2 and "another recipe" in done.err


def test_translate_and_label_take_a_module(trained, tmp_path, monkeypatch):
    monkeypatch.setenv("XADAPT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "en.txt").write_text("the cat sat\na dog\n", encoding="utf-8")
    given = ("--data", tmp_path / "en.txt", "--source", "en", "--target", "de")
    found = {}
    for name, more in (("bare", ()), ("module", ("--module", trained / "translation"))):
        out = tmp_path / f"{name}.tsv"
        good("translate", *given, "--translator", f"seq2seq:{trained / 'm2m'}", "--out", out, *more)
        found[name] = out.read_text(encoding="utf-8")
    adapted = package.load_seq2seq(str(trained / "m2m"), trained / "translation")
    texts = ["the cat sat", "a dog"]
    written = adapted.write(texts, lang="en", into="de")
    wanted = [f"{text}\t{own}\n" for text, own in zip(texts, written, strict=True)]
    assert found["module"] == "".join(one for one in wanted if not one.endswith("\t\n"))
    done = xadapt(
        "translate", *given, "--translator", "apertium", "--out", tmp_path / "x",
        "--module", trained / "translation",
    )  # fmt: skip
    assert done.code == 2 and "Name the base: --translator seq2seq:BASE" in done.lines[-1]
    done = xadapt(
        "translate", *given, "--translator", f"seq2seq:{trained / 't5'}", "--out", tmp_path / "x",
        "--module", trained / "translation",
    )  # fmt: skip
    assert done.code == 2 and "trained on another base: architecture" in done.lines[-1]
    (tmp_path / "en.txt").write_text("the " * 80 + "\n", encoding="utf-8")
    done = xadapt(
        "translate", *given, "--translator", f"seq2seq:{trained / 'm2m'}", "--out", tmp_path / "x",
        "--module", trained / "translation",
    )  # fmt: skip
    assert done.code == 2 and "a text is longer than the 64 tokens" in done.lines[-1]
    assert not (tmp_path / "x").exists()
    (tmp_path / "w.conll").write_text("the\ncat\n", encoding="utf-8")
    good(
        "label", "--model", trained / "t5", "--module", trained / "text_to_text", "--types", "A",
        "--data", tmp_path / "w.conll", "--out", tmp_path / "l.conll",
    )  # fmt: skip
    assert (tmp_path / "l.conll").read_text(encoding="utf-8").startswith("the\t")


def test_a_task_module_is_trained_on_top_of_a_domain_module(trained, tmp_path):
    inside = ("--compose", f"{trained / 'domain_seq2seq'} + self")
    good(*command(trained, "text_to_text", tmp_path / "tasks", *inside))
    manifest = read_manifest(tmp_path / "tasks")
    assert manifest.trained_inside == ["domain_seq2seq + self"]
    assert manifest.parents == ["domain_seq2seq"]
    base, both = str(trained / "t5"), f"{trained / 'domain_seq2seq'} + {tmp_path / 'tasks'}"
    adapted = package.load_seq2seq(base, both)
    alone = package.load_seq2seq(base, tmp_path / "tasks")
    rows, scores = [[5, 9, 1]], []
    for one in (adapted, alone, package.load_seq2seq(base)):
        with torch.no_grad(), one.active() as seq2seq:
            scores.append(seq2seq.score(seq2seq.encode(rows), rows)[0])
    assert len({tuple(one.tolist()) for one in scores}) == 3
    with pytest.raises(UserError, match="takes no choice by language"):
        package.load_seq2seq(base, f"by_language(en = {trained / 'domain_seq2seq'})")


def test_training_goes_on_from_a_module(trained, tmp_path):
    start = ("--set", f"module.init={trained / 'text_to_text'}")
    good(*command(trained, "text_to_text", tmp_path / "more", *start, "--json", tmp_path / "j"))
    [made] = read_json(tmp_path / "j")["modules"]
    assert made["manifest"]["started_from"][0]["name"] == "en_text_to_text"
    assert made["forward_seconds"] > 0 and 0 < made["padding"] < 1


def test_markers_are_learnt_from_pairs_whose_words_are_aligned(place, tmp_path):
    def align(pairs, module=""):
        return [[(i, i) for i in range(min(map(len, both)))] for both in pairs]

    markers = "data.train.transforms=[{name: insert_markers, stop_words: 0}]"
    names = [(p.pivot + " Anna", p.text + " Anna") for p in pairs(60)]
    given = [(" ".join(a.split()[-4:]), " ".join(b.split()[-4:])) for a, b in names]
    result = package.train(
        "easyproject_markers", base=str(place / "m2m"), data=given, lang="de", out=tmp_path / "m",
        callables={"align": align}, settings=["module.rank=2", "data.train.dev=5", markers],
    )  # fmt: skip
    assert any("pairs have markers" in note for note in result.notes)
    assert result.manifest.backbone == "seq2seq" and result.evidence


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--set", "max_length=200"), "max_length: the base takes at most 64 tokens, not 200"),
        (("--set", "dtype=int8"), "dtype: int8 is for encoders alone"),
        (("--set", "prompts.query=q: "), "prompts: prompts by side are for encoders"),
        (("--set", "module={kind: own_tokens, module: {kind: lora}}"), "is for encoders alone"),
        (("--set", "module.sites=[cross_ffn_in]"), "the base has no site 'cross_ffn_in'"),
        (("--set", "module.sites=[cross_q]", "--set", "module.layers=[0,2]"), "no site 'cross_q'"),
        (("--companion", "a=b"), "the recipe has no companions"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(place, tmp_path, more, said):
    settings = ("train.epochs=1", "train.batch_size=16", "data.train.dev=10")
    given = command(place, "text_to_text", tmp_path / "m")[: -2 * len(SMALL)]
    done = xadapt(*given, *(part for one in settings for part in ("--set", one)), *more)
    assert done.code == 2 and said in done.lines[-1], done.err
    assert not (tmp_path / "m").exists()


def test_objectives_of_one_kind_of_base_are_trained_together(place, tmp_path):
    both = "objectives=[{name: span_corruption}, {name: mlm}]"
    done = xadapt(*command(place, "domain_seq2seq", tmp_path / "m", "--set", both))
    assert done.code == 2 and "span_corruption and mlm train on different kinds" in done.lines[-1]


def test_an_encoder_base_is_no_encoder_decoder(place, tmp_path):
    from tiny_models import tiny_folder

    tiny_folder(tmp_path / "bert")
    done = xadapt(*command(place, "text_to_text", tmp_path / "m", "--base", tmp_path / "bert"))
    assert done.code == 2 and "bert is no encoder-decoder model" in done.lines[-1]


def test_the_result_of_a_run_opens_its_base(place, tmp_path):
    result = package.train(
        "text_to_text", base=str(place / "t5"), data=str(place / "rows.jsonl"), lang="en",
        out=tmp_path / "m", settings={"module.rank": 2, "train.epochs": 1},
    )  # fmt: skip
    assert len(result.load(device="cpu").write(["the cat"], max_new_tokens=3)) == 1
    assert "token probability" in result.report()
