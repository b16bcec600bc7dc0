"""An encoder-decoder with a module: what it writes, with which prompt, and when the module acts."""

from __future__ import annotations

import pytest
import torch
from tiny_seq2seq_training import module_of, shaken, small

from xadapt.core.errors import UserError
from xadapt.inference.adapted_seq2seq import AdaptedSeq2Seq

TEXTS = ["the cat sat on the mat", "", "a dog", "five cat"]


def test_it_writes_what_generate_writes_with_the_module_and_in_any_batch():
    seq2seq = small()
    module = shaken(module_of(seq2seq))
    adapted, bare = AdaptedSeq2Seq(seq2seq, module), AdaptedSeq2Seq(seq2seq)
    found = adapted.write(TEXTS, max_new_tokens=6)
    assert found == [adapted.write(text, max_new_tokens=6, batch_size=1)[0] for text in TEXTS]
    assert found != bare.write(TEXTS, max_new_tokens=6)
    given = seq2seq.tokenizer(TEXTS[:1], return_tensors="pt")
    with adapted.active() as base, torch.inference_mode():
        tokens = base.model.generate(input_ids=given["input_ids"], max_new_tokens=6)
    assert found[0] == seq2seq.tokenizer.decode(tokens[0], skip_special_tokens=True).strip()


def test_the_language_to_write_is_the_first_token():
    adapted = AdaptedSeq2Seq(small("m2m_100"))
    seen = []
    kept = adapted.seq2seq.model.generate

    def generate(**given):
        seen.append(kept(**given))
        return seen[-1]

    adapted.seq2seq.model.generate = generate
    adapted.write(["a dog"], lang="en", into="de", max_new_tokens=4)
    german = adapted.seq2seq.tokenizer.convert_tokens_to_ids("deu_Latn")
    assert int(seen[0][0, 1]) == german


def test_the_prompt_is_that_of_the_training(monkeypatch):
    class Manifest:
        def __init__(self, *objectives):
            self.recipe = {"objectives": list(objectives)}

    cases = [
        (("de", "en"), {"name": "text_to_text", "prompt": "say: "}, "say: "),
        (("en", "de"), {"name": "translation"}, "translate English to German: "),
        ((None, None), {"name": "translation"}, ""),
        (("en", "de"), {"name": "span_corruption"}, ""),
        (("en", "de"), {"name": "one_of_another_package"}, ""),
    ]
    for langs, objective, wanted in cases:
        adapted = AdaptedSeq2Seq(small(), None, Manifest(objective))
        assert adapted._prompt(*langs) == wanted
    assert AdaptedSeq2Seq(small("m2m_100"), None, Manifest(cases[1][1]))._prompt("en", "de") == ""


def test_numbers_out_of_range_are_refused():
    for name in ("beams", "batch_size"):
        with pytest.raises(UserError, match=f"{name} is at least 1"):
            AdaptedSeq2Seq(small()).write("a", **{name: 0})
