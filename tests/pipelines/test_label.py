"""Labelling by an encoder-decoder that learnt two sentences, and by ones that know nothing."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from tiny_commands import good, xadapt
from tiny_models import tiny_folder
from tiny_seq2seq import tiny_model, tiny_seq2seq_folder, tiny_tokenizer
from transformers import AutoModelForSeq2SeqLM

import xadapt as package
from xadapt.backbones.seq2seq.seq2seq import Seq2Seq
from xadapt.backbones.seq2seq.tag_processor import TagLogitsProcessor
from xadapt.core.errors import UserError
from xadapt.core.files import read_json
from xadapt.data.readers.conll import Conll
from xadapt.hub.seq2seq_lora import save_seq2seq_lora
from xadapt.injection.seq2seq_lora import Seq2SeqLoRA

SENTENCES = ["Ada met Bo in New York".split(), "Dar es Salaam".split()]  # noqa: SIM905
SPANS = [((0, 1, "PER"), (2, 3, "PER"), (4, 6, "LOC")), ((0, 3, "LOC"),)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_seq2seq_folder(tmp_path_factory.mktemp("t5"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A T5 that learnt the two sentences by heart."""
    model, tokenizer = tiny_model("t5", d_model=32).requires_grad_(True), tiny_tokenizer("t5")
    processor = TagLogitsProcessor.of(model, tokenizer, SENTENCES, ["PER", "LOC"])
    labels = [one.write(own) for one, own in zip(processor.automata, SPANS, strict=True)]
    longest = max(map(len, labels))
    target = torch.tensor([own + [-100] * (longest - len(own)) for own in labels])
    given = tokenizer([" ".join(words) for words in SENTENCES], padding=True, return_tensors="pt")
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        loss = model(
            input_ids=given["input_ids"], attention_mask=given["attention_mask"], labels=target
        ).loss
        loss.backward()
        optimizer.step()
    assert loss < 0.05
    folder = tmp_path_factory.mktemp("trained")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("constrained", [True, False])
@pytest.mark.parametrize("beams", [1, 3])
def test_what_was_learnt_is_labelled(trained, constrained, beams):
    found = package.label(
        SENTENCES, model=str(trained), types=["PER", "LOC"], constrained=constrained, beams=beams,
        dtype="float32", lang="en", batch_size=1,
    )  # fmt: skip
    assert [row.spans for row in found.rows] == SPANS and found.malformed == []
    assert [list(row.words) for row in found.rows] == SENTENCES
    assert found.to_dict() == {
        "sentences": 2, "words": 9, "spans": {"LOC": 2, "PER": 2}, "malformed": 0, "cut": 0
    }  # fmt: skip


def test_random_weights_copy_when_held_and_not_when_free(folder):
    held = package.label(SENTENCES, model=str(folder), types="PER")
    free = package.label(SENTENCES, model=str(folder), types="PER", constrained=False)
    assert held.malformed == [] and free.malformed == [0, 1]
    assert [row.words for row in held.rows] == [row.words for row in free.rows]
    assert all(row.spans == () for row in free.rows)


def test_settings_of_the_model_for_other_work_do_not_act(tmp_path, trained):
    tiny = AutoModelForSeq2SeqLM.from_pretrained(trained)
    for name, value in (
        ("no_repeat_ngram_size", 1),
        ("max_length", 5),
        ("repetition_penalty", 9.0),
    ):
        setattr(tiny.generation_config, name, value)
    tiny.save_pretrained(tmp_path)
    tiny_tokenizer("t5").save_pretrained(tmp_path)
    found = package.label(SENTENCES, model=str(tmp_path), types=["PER", "LOC"])
    assert [row.spans for row in found.rows] == SPANS


def test_a_lora_on_the_model_labels_and_leaves_the_model_as_it_is(folder, tmp_path):
    seq2seq = Seq2Seq.from_pretrained(str(folder), dtype="float32")
    made = TagLogitsProcessor.of(seq2seq.model, seq2seq.tokenizer, SENTENCES, ["PER", "LOC"])
    targets = [one.write(own) for one, own in zip(made.automata, SPANS, strict=True)]
    sources = seq2seq.tokenizer([" ".join(words) for words in SENTENCES])["input_ids"]
    module = Seq2SeqLoRA.of(seq2seq, tuple(seq2seq.family.inside), rank=8, alpha=32)
    optimizer = torch.optim.Adam(module.parameters(), 1e-2)
    for _ in range(150):
        with module.on(seq2seq):
            loss = -torch.cat(seq2seq.score(seq2seq.encode(sources), targets)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    save_seq2seq_lora(tmp_path / "lora", module)
    given = {"model": str(folder), "types": ["PER", "LOC"], "dtype": "float32"}
    found = package.label(SENTENCES, module=tmp_path / "lora", **given)
    assert [row.spans for row in found.rows] == SPANS
    data, out = tmp_path / "w.conll", tmp_path / "out.conll"
    data.write_text("\n\n".join("\n".join(words) for words in SENTENCES), encoding="utf-8")
    good("label", "--model", folder, "--module", tmp_path / "lora", "--types", "PER,LOC",
         "--data", data, "--out", out)  # fmt: skip
    assert [row.spans for row in Conll().read(str(out), "en")] == SPANS
    done = xadapt("label", "--model", folder, "--module", folder, "--types", "PER", "--data", data,
                  "--out", tmp_path / "no.conll")  # fmt: skip
    assert done.code == 2 and "adapter_config.json" in done.err


def test_a_long_sentence_is_read_in_parts(tmp_path):
    tiny_model("bart", max_position_embeddings=40).save_pretrained(tmp_path)
    tiny_tokenizer("bart").save_pretrained(tmp_path)
    words = ["Nairobi", "Ada", "Lovelace", "ŋ"] * 30
    found = package.label([["Ada"], words], model=str(tmp_path), types=["PER", "LOC"], beams=2)
    assert found.cut == 1 and found.malformed == []
    assert [list(row.words) for row in found.rows] == [["Ada"], words]
    spans = found.rows[1].spans
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    assert spans and spans[-1][1] > 60, "spans of later parts have their places in the sentence"


def test_the_verb_reads_and_writes_conll(folder, tmp_path):
    data, out, counts = tmp_path / "w.conll", tmp_path / "out.conll", tmp_path / "c.json"
    data.write_text("Ada\tO\nmet\tO\n\nNew\nYork\n", encoding="utf-8")
    given = ("label", "--model", folder, "--types", "PER,LOC", "--data", data, "--out", out)
    done = good(*given, "--constrained", "--json", counts)
    rows = list(Conll().read(str(out), "en"))
    assert [row.words for row in rows] == [("Ada", "met"), ("New", "York")]
    assert read_json(counts)["malformed"] == 0 and "2 sentences" in done.out
    again = xadapt(*given)
    assert again.code == 2 and "such a file already" in again.err
    done = good(*given, "--force", "--free", "--beams", 1)
    assert "2 outputs are no tagged copy" in done.err
    assert {label for row in Conll().read(str(out), "en") for label in row.spans} == set()


def test_mistakes_are_one_line_and_leave_nothing(folder, tmp_path):
    data, out = tmp_path / "w.conll", tmp_path / "out.conll"
    data.write_text("Ada\nmet\n", encoding="utf-8")
    encoder = tiny_folder(tmp_path / "bert")
    for changes, said in (
        ({"--data": tmp_path / "none"}, "no such file"),
        ({"--types": "PER,PER"}, "named twice"),
        ({"--types": "東,京"}, "can't tell the tags apart"),
        ({"--model": tmp_path / "none"}, "none"),
        ({"--model": encoder}, "bert is no encoder-decoder model"),
        ({"--column": 2}, "not 2"),
        ({"--dtype": "int8"}, "int8 is for encoders alone"),
        ({"--beams": 0}, "--beams"),
        ({"--out": data, "--force": None}, "read by the same command"),
        ({"--json": out}, "--json and --out are one file"),
    ):
        given = {"--model": folder, "--types": "PER", "--data": data, "--out": out} | changes
        words = [word for pair in given.items() for word in pair if word is not None]
        done = xadapt("label", *words)
        assert done.code == 2 and said in done.err, (said, done.err)
        assert "Traceback" not in done.err and not out.exists()
    for rows in ([], [[]], [["a\tb"]], "a text"):
        with pytest.raises(UserError):
            package.label(rows, model=str(folder), types="PER")
    with pytest.raises(UserError, match="at least 1"):
        package.label([["a"]], model=str(folder), types="PER", beams=0)
