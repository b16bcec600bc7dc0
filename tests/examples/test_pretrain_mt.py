"""Pretraining of a small translation model: groups, tokenizer, batches, chrF, a resumed run."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))

import pretrain_mt as mt  # noqa: E402

from xadapt.backbones.seq2seq.seq2seq import Seq2Seq  # noqa: E402
from xadapt.backbones.seq2seq.text_tokens import TextTokens  # noqa: E402
from xadapt.core.errors import UserError  # noqa: E402
from xadapt.integrations.translators.protocol import open_translator  # noqa: E402


def written(folder: Path, rows: int = 400) -> Path:
    """Pairs of three languages; two of them share their English side."""
    words = ["house", "bird", "river", "stone", "green", "sings", "runs", "old"]
    for lang, mark in (("de", "ä"), ("sw", "a")):
        lines = []
        for n in range(rows):
            said = [words[(n * step + place) % 8] for place, step in enumerate((1, 3, 5, 7))]
            lines.append(f"{' '.join(said)} {n}\t{' '.join(w + mark for w in said)} {n}\n")
        (folder / f"en-{lang}.tsv").write_text("".join(lines), encoding="utf-8")
    return folder


def test_translations_of_one_sentence_are_one_group_and_closed_sources_are_left_out(tmp_path):
    (tmp_path / "en-de.tsv").write_text("a\tx\ttatoeba\nb\ty\tclosed\nc\tz\n", encoding="utf-8")
    (tmp_path / "en-fr.tsv").write_text("a\tu\ttatoeba\na\tv\n", encoding="utf-8")
    groups, tags = mt.groups_of(mt.open_pairs(tmp_path))
    assert groups == [{"en": "a", "de": "x", "fr": "u"}, {"en": "c", "de": "z"}]
    assert tags == Counter({"tatoeba": 2, "": 1})
    with pytest.raises(UserError, match="no pair"):
        mt.groups_of(iter(()))


def test_an_epoch_joins_drawn_languages_within_the_budget(tmp_path):
    groups, _ = mt.groups_of(mt.open_pairs(written(tmp_path)))
    settings = mt.Settings(vocabulary=400, batch_tokens=200, longest=24)
    rows = mt.Rows(groups, mt.tokenizer_of(groups, settings), settings)
    first, second = rows.epoch(0), rows.epoch(1)
    assert first == rows.epoch(0) != second
    assert sum(map(len, first)) == sum(len(group) - 1 for group in groups)
    assert all(len(b) * max(len(s) + len(t) for s, t in b) <= 200 for b in first)
    codes = {target[0] for batch in first for _, target in batch}
    assert codes == set(rows.codes.values()) and len(codes) == 3
    known = {tuple(row) for group in rows.ids for row in group.values()}
    assert all(tuple(t[1:]) in known and tuple(s) in known for b in first for s, t in b)


def test_the_tokenizer_keeps_brackets_and_languages_as_tokens(tmp_path):
    groups, _ = mt.groups_of(mt.open_pairs(written(tmp_path)))
    tokenizer = mt.tokenizer_of(groups, mt.Settings(vocabulary=400, longest=32))
    text = "the [ green bird ] <sings> ꦲ 7"
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == text
    shown = tokenizer.convert_ids_to_tokens(ids)
    assert {"▁[", "▁]", "▁<", ">"} <= set(shown) and shown[-1] == "</s>"
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.get_added_vocab().keys() >= {"__de__", "__en__", "__sw__"}


def test_chrf_by_hand():
    """One sentence, n-grams of one and two letters: 3 of 4 and 2 of 3 are right."""
    assert mt.chrf(["abcd"], ["abcd"]) == pytest.approx(100)
    assert mt.chrf(["ab"], ["xyz"]) == 0 and mt.chrf([""], ["a"]) == 0
    assert mt.chrf(["abcx"], ["abcd"], order=2) == pytest.approx(100 * (3 / 4 + 2 / 3) / 2)
    one = 5 * 1 * 0.5 / (4 * 1 + 0.5)  # precision 1, recall 1/2
    assert mt.chrf(["ab"], ["abcd"], order=1) == pytest.approx(100 * one)
    assert mt.chrf(["a b c"], ["abc"]) == pytest.approx(100)


def settings(out: Path, **more) -> argparse.Namespace:
    given = {field.name: field.default for field in fields(mt.Settings)}
    given |= {"layers": 1, "width": 32, "heads": 2, "ffn": 32, "tokens": 4000, "measured": 2}
    given |= {"batch_tokens": 512, "evaluations": 2, "vocabulary": 400, "longest": 24}
    return argparse.Namespace(out=out, **{**given, "resume": False, "licence": "mit", **more})


def test_a_resumed_run_is_the_uninterrupted_one_and_the_model_is_opened(tmp_path, monkeypatch):
    data = written(tmp_path)
    result = mt.run(settings(tmp_path / "whole"), mt.open_pairs(data))
    assert set(result["held_out"]) == {"en-de", "de-en", "en-sw", "sw-en"}
    step, seen = mt.Learner._step, []

    def cut(self):
        if len(seen) == 4:
            raise KeyboardInterrupt
        seen.append(step(self))
        mt.checkpoint.save(self.folder, self.progress, self.model, self.optimizer, {})
        return seen[-1]

    with monkeypatch.context() as patched:
        patched.setattr(mt.Learner, "_step", cut)
        with pytest.raises(KeyboardInterrupt):
            mt.run(settings(tmp_path / "cut"), mt.open_pairs(data))
    mt.run(settings(tmp_path / "cut", resume=True), mt.open_pairs(data))
    one, other = (
        load_file(tmp_path / name / "model/model.safetensors") for name in ("whole", "cut")
    )
    assert all(torch.equal(one[name], other[name]) for name in one) and one.keys() == other.keys()
    with pytest.raises(UserError, match="there is a model already"):
        mt.run(settings(tmp_path / "cut"), mt.open_pairs(data))
    place = str(tmp_path / "whole/model")
    seq2seq = Seq2Seq.from_pretrained(place)
    assert TextTokens(seq2seq).forced("sw") == seq2seq.tokenizer.convert_tokens_to_ids("__sw__")
    assert len(open_translator(f"seq2seq:{place}").translate(["old bird"], "en", "de")) == 1
    assert "license: mit" in (tmp_path / "whole/model/README.md").read_text(encoding="utf-8")


def test_the_quick_run_makes_a_report(tmp_path):
    result = mt.quick(tmp_path)
    assert set(result["languages"]) == {"de", "en", "fr"} and result["steps"] > 3
    assert (tmp_path / "report.json").is_file() and (tmp_path / "log.jsonl").is_file()
