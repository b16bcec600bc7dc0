"""Modules of an encoder-decoder become one LoRA, or are in the weights of a base."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_commands import good, xadapt
from tiny_seq2seq_training import manifest_of, module_of, shaken, small_folder
from transformers import AutoModelForSeq2SeqLM

import xadapt as package
from xadapt.backbones.seq2seq.seq2seq import Seq2Seq
from xadapt.hub.folder import write_folder
from xadapt.hub.opening import read_manifest

SOURCES, TARGETS = [[5, 9, 12, 1], [7, 1]], [[8, 6, 1], [11, 10, 1]]
SITES = {"a": ["q", "cross_v", "ffn_in"], "b": ["decoder_q", "encoder_ffn_out", "cross_v"]}


@pytest.fixture(scope="module", params=["t5", "m2m_100"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base with two LoRAs and a bottleneck."""
    folder = tmp_path_factory.mktemp("place")
    small_folder(folder / "base", request.param)
    seq2seq = Seq2Seq.from_pretrained(str(folder / "base"), dtype="float32", device="cpu")
    for seed, (name, sites) in enumerate(SITES.items()):
        made = shaken(module_of(seq2seq, sites=sites, rank=2 + seed), seed)
        write_folder(folder / name, made, seq2seq, manifest_of(seq2seq, made, name=name), verify={})
    made = shaken(module_of(seq2seq, "bottleneck"))
    write_folder(
        folder / "narrow", made, seq2seq, manifest_of(seq2seq, made, name="narrow"), verify={}
    )
    return folder


def scores(base: Path, module: str | Path | None = None) -> torch.Tensor:
    given = {"dtype": "float32", "device": "cpu"}
    with package.load_seq2seq(str(base), module, **given).active() as seq2seq, torch.no_grad():
        return torch.cat(seq2seq.score(seq2seq.encode(SOURCES), TARGETS))


def both(place: Path, form: str = "{a} + {b}") -> str:
    return form.format(a=place / "a", b=place / "b")


@pytest.mark.parametrize("form", ["{a} + {b}", "mix({a}:.7, {b}:.4)"])
def test_a_sum_becomes_one_lora_that_other_libraries_load(place, tmp_path, form):
    done = good("compose", both(place, form), "--base", place / "base", "--out", tmp_path / "one")
    assert "one LoRA of rank 5, exact" in done.out
    wanted = scores(place / "base", both(place, form))
    found = scores(place / "base", tmp_path / "one")
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)
    assert not torch.allclose(found, scores(place / "base"), atol=1e-3)
    manifest = read_manifest(tmp_path / "one")
    assert manifest.backbone == "seq2seq" and manifest.parents == ["a", "b"]
    assert manifest.loaders["peft"].status == manifest.loaders["transformers"].status == "verified"
    good("verify", tmp_path / "one", "--base", place / "base")


def test_a_base_has_the_sum_in_its_weights(place, tmp_path):
    whole = tmp_path / "whole"
    done = good("compose", both(place), "--base", place / "base", "--merged", "--out", whole)
    assert "exact; it loads as AutoModelForSeq2SeqLM" in done.out
    wanted = scores(place / "base", both(place))
    torch.testing.assert_close(scores(whole), wanted, atol=1e-5, rtol=0)
    before, after = (load_file(one / "model.safetensors") for one in (place / "base", whole))
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name].float(), after[name])}
    assert 0 < len(changed) < len(before) and not any("norm" in name for name in changed)
    model = AutoModelForSeq2SeqLM.from_pretrained(whole).eval()
    with torch.no_grad():
        made = model(input_ids=torch.tensor(SOURCES[:1]), labels=torch.tensor(TARGETS[:1]))
    torch.testing.assert_close(-made.loss, wanted[:3].mean(), atol=1e-5, rtol=0)
    text = (whole / "README.md").read_text(encoding="utf-8")
    assert "AutoModelForSeq2SeqLM.from_pretrained" in text and "classifier" not in text


def test_a_lower_rank_tells_what_is_lost(place, tmp_path):
    given = ("--base", place / "base", "--rank", "1", "--out", tmp_path / "low")
    done = good("compose", both(place), *given)
    assert "rank 1, " in done.out and "% of the norm of an update cut away" in done.out


CASES = [
    ("{a} + {b}", ("--soup",), "modules of an encoder-decoder become one LoRA"),
    ("{a} + {b}", ("--no-merge",), "modules of an encoder-decoder become one LoRA"),
    ("{a} + {b}", ("--adapters-setup",), "modules of an encoder-decoder become one LoRA"),
    ("{a} + {b}", ("--head", "a"), "modules of an encoder-decoder become one LoRA"),
    ("by_language(en = {a}, * = none)", (), "modules of an encoder-decoder become one LoRA"),
    ("{a} + {narrow}", (), "modules of an encoder-decoder become one LoRA"),
    ("{a} + {narrow}", ("--merged",), "needs a stack or fixed mixture of LoRAs"),
]


@pytest.mark.parametrize(("form", "more", "told"), CASES)
def test_mistakes_are_one_line_and_leave_nothing(place, tmp_path, form, more, told):
    text = form.format(a=place / "a", b=place / "b", narrow=place / "narrow")
    done = xadapt("compose", text, "--base", place / "base", "--out", tmp_path / "out", *more)
    assert done.code == 2 and len(done.lines) == 1 and told in done.lines[0]
    assert not (tmp_path / "out").exists()


def test_another_base_and_a_module_of_an_encoder_are_refused(place, tmp_path):
    small_folder(tmp_path / "other", "t5", d_ff=40)
    given = ("--out", tmp_path / "out")
    done = xadapt("compose", both(place), "--base", tmp_path / "other", *given)
    assert done.code == 2 and "trained on another base" in done.lines[-1]
    pairs = "".join(f"word {n}\tneno {n}\n" for n in range(20))
    (tmp_path / "pairs.tsv").write_text(pairs, encoding="utf-8")
    small = ("module.rank=2", "train.epochs=1", "data.train.dev=4")
    good(
        "train", "translation_ranking", "--base", "mini", "--data", tmp_path / "pairs.tsv",
        "--lang", "sw", "--loaders", "none", "--out", tmp_path / "sw",
        *(part for one in small for part in ("--set", one)),
    )  # fmt: skip
    text = f"{place / 'a'} + {tmp_path / 'sw'}"
    done = xadapt("compose", text, "--base", place / "base", *given)
    assert done.code == 2 and "encoders and of encoder-decoders" in done.lines[-1]
    assert not (tmp_path / "out").exists()
