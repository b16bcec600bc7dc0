"""Pretraining of a small encoder: its text, tokenizer, masks, counts, and a resumed run."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from dataclasses import replace
from pathlib import Path

import forked
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_commands import Done
from transformers import AutoTokenizer

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))

import pretrain_mini  # noqa: E402
from mini import learn  # noqa: E402
from mini.collect import sentences, split  # noqa: E402
from mini.learn import Settings, network  # noqa: E402
from mini.measure import Counts, held_out  # noqa: E402
from mini.optimizer import MuonAdamW  # noqa: E402
from mini.rows import Plan, masked, padded, tokenised  # noqa: E402
from mini.tokens import covered, sampled, train_tokenizer  # noqa: E402
from mini.whiten import whitening  # noqa: E402

from xadapt.backbones.encoder.encoder import Encoder  # noqa: E402
from xadapt.data.records import ParallelPair  # noqa: E402

EN = "the a small big house river bird sings runs under over near old green stone"
RU = "дом река птица поёт бежит под над старый зелёный камень большой малый у и"
JA = "家 川 鳥 が 歌う 走る 下 上 古い 緑 石 大きい 小さい と"
WORDS = {"en": EN.split(" "), "ru": RU.split(" "), "ja": JA.split(" ")}
SMALL = "--vocabulary 400 --layers 1 --width 32 --heads 2 --ffn 32 --tokens 12000 --dropout 0.1"


def lines(lang: str, count: int) -> list[str]:
    rng = random.Random(lang)
    glue = "" if lang == "ja" else " "
    return [glue.join(rng.choices(WORDS[lang], k=rng.randint(3, 9))) for _ in range(count)]


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([line for lang in WORDS for line in lines(lang, 300)], 400, 32)


def test_letters_beyond_the_vocabulary_are_spelt_in_bytes_and_come_back(tokenizer, tmp_path):
    text = "the дом 鳥 ꦲ 😀 bird"
    tokenizer.save_pretrained(tmp_path)
    for one in (tokenizer, AutoTokenizer.from_pretrained(tmp_path)):
        ids = one(text)["input_ids"]
        assert one.unk_token_id not in ids
        assert one.decode(ids, skip_special_tokens=True) == text
        assert ids[0] == one.cls_token_id == 0 and ids[-1] == one.sep_token_id == 2
        assert (one.pad_token_id, one.unk_token_id) == (1, 3)
        assert one.mask_token_id == len(one) - 1


def test_coverage_keeps_common_letters():
    assert covered(["aaaa bbbb", "aaac"], 0.9) == ["aaaa bbbb", "aaa "]
    assert covered(["ab"], 1.0) == ["ab"]


def test_shares_of_languages():
    texts = {"x": [f"x{i}" for i in range(900)], "y": [f"y{i}" for i in range(100)]}
    for alpha, of_y in ((1.0, 10), (0.5, 25), (0.0, 50)):
        chosen = sampled(texts, alpha, 100)
        assert sum(line.startswith("y") for line in chosen) == of_y
        assert len(set(chosen)) == 100


def test_an_epoch_is_a_function_of_its_number_and_walks_evenly():
    rows = {"x": [np.arange(n % 7 + 3) for n in range(90)], "y": [np.arange(4)] * 10}
    plan = Plan(rows, budget=64, alpha=0.5)
    assert plan.draws == {"x": 75, "y": 25}
    assert plan.epoch(3) == Plan(rows, 64, 0.5).epoch(3) != plan.epoch(4)
    seen = {lang: np.zeros(len(some), int) for lang, some in rows.items()}
    for number in range(6):
        for batch in plan.epoch(number):
            longest = max(len(rows[lang][i]) for lang, i in batch)
            assert longest * len(batch) <= 64
            for lang, i in batch:
                seen[lang][i] += 1
    assert (seen["x"] == 5).all() and (seen["y"] == 15).all()


def test_masks(tokenizer):
    rows = tokenised(tokenizer, {"en": lines("en", 200)}, 32)["en"]
    batch = masked(rows, tokenizer, 0.25, seed=1)
    ids, mask = padded(rows, tokenizer.pad_token_id)
    assert torch.equal(batch.mask, mask) and mask.sum() == sum(map(len, rows))
    assert torch.equal(ids.flatten()[batch.places], batch.answers)
    left = torch.ones(ids.numel(), dtype=torch.bool)
    left[batch.places] = False
    assert torch.equal(ids.flatten()[left], batch.ids.flatten()[left])
    each = torch.bincount(batch.places // ids.shape[1], minlength=len(rows)).tolist()
    # torch rounds halves to the even number, as Python does
    assert each == [max(1, round(0.25 * (len(row) - 2))) for row in rows]
    assert not set(batch.answers.tolist()) & set(tokenizer.all_special_ids)
    shown = batch.ids.flatten()[batch.places]
    assert 0.7 < (shown == tokenizer.mask_token_id).float().mean() < 0.9
    assert 0.05 < (shown == batch.answers).float().mean() < 0.17
    hidden = masked(rows, tokenizer, 0.25, seed=1, disguise=False)
    assert (hidden.ids.flatten()[hidden.places] == tokenizer.mask_token_id).all()
    assert torch.equal(hidden.places, batch.places)


def test_counts_by_hand(tokenizer):
    train = [np.array(row) for row in ([0, 10, 11, 10, 12, 2], [0, 10, 11, 2], [0, 11, 2])]
    counts = Counts(train)
    assert counts.most in (10, 11)  # three times each
    assert counts.best == {0: 10, 10: 11, 11: 10}
    held = [np.array([0, 10, 11, 2]), np.array([0, 10, 12, 2])]
    scored = [masked(held, tokenizer, 1.0, seed=0, disguise=False)]
    # Of 10 11 10 12 the bigram, which sees the true left token, misses 12 alone.
    one, two = counts.guessed(scored, held)
    assert two == 3 / 4 and one == sum(a == counts.most for a in (10, 11, 10, 12)) / 4


def test_held_out_batches_fit_their_rows(tokenizer):
    rows = tokenised(tokenizer, {"en": lines("en", 150)}, 32)["en"]
    batches = held_out(rows, tokenizer)
    some = sorted(rows, key=len)
    answers = [a for batch in batches for a in batch.answers.tolist()]
    by_hand = []
    for number, batch in enumerate(batches):
        width = batch.ids.shape[1]
        own = some[number * 64 : (number + 1) * 64]
        by_hand += [int(own[p // width][p % width]) for p in batch.places.tolist()]
    assert answers == by_hand and len(batches) == 3


def test_a_held_out_sentence_is_learnt_in_no_language():
    pairs = [ParallelPair(text=f"t{i}", pivot=f"p{i % 150}", lang="de") for i in range(300)]
    pairs += [ParallelPair(text=f"u{i}", pivot=f"p{i}", lang="ja") for i in range(150)]
    pairs += [ParallelPair(text=f"many{i}", pivot="common", lang="fi") for i in range(61)]
    parts = split(pairs)
    sides = {name: {pair.pivot for pair in part} for name, part in parts.items()}
    assert sum(map(len, parts.values())) == len(pairs) and all(sides.values())
    assert not sides["test"] & sides["dev"] and not sides["train"] & (sides["test"] | sides["dev"])
    assert "common" in sides["train"]
    tagged = [replace(pairs[0], origin="ntrex"), replace(pairs[1], origin="wmt-newstest")]
    assert {lang: list(some.values()) for lang, some in sentences(tagged).items()} == {
        "en": [("p0", "ntrex")],
        "de": [("t0", "ntrex")],
    }


def test_matrices_move_by_muon_and_all_else_by_adamw(tokenizer):
    torch.manual_seed(0)
    model = network(Settings(layers=2, width=32, heads=2, ffn=64), tokenizer)
    twin = network(Settings(layers=2, width=32, heads=2, ffn=64), tokenizer)
    mine = MuonAdamW(model, rate=0.01, decay=0.0)
    usual = torch.optim.AdamW(twin.parameters(), lr=0.01, betas=(0.9, 0.98), weight_decay=0.0)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        p.grad = q.grad = torch.randn(p.shape)
    mine.step()
    usual.step()
    after = dict(twin.named_parameters())
    for name, p in model.named_parameters():
        if ".layer." in name and p.ndim == 2:
            # Orthogonal up to the iteration's slack, and as long as AdamW's step.
            moved = (p.detach() - before[name]) / 0.01 / (0.2 * max(p.shape) ** 0.5)
            sizes = torch.linalg.svdvals(moved)
            assert sizes.median() > 0.5 and sizes.max() < 1.4, name
        else:
            assert torch.allclose(p, after[name], atol=1e-7), name


def test_whitened_vectors_have_no_mean_and_like_directions():
    rng = torch.Generator().manual_seed(0)
    vectors = torch.randn(4000, 6, generator=rng) @ torch.randn(6, 6, generator=rng) + 5
    weight, bias = whitening(vectors, shrink=0.0)
    after = vectors @ weight.T + bias
    assert after.mean(0).abs().max() < 1e-4
    assert torch.allclose(torch.cov(after.T), torch.eye(6), atol=1e-3)
    half, bias = whitening(vectors, shrink=0.5)
    assert (vectors @ half.T + bias).mean(0).abs().max() < 1e-4
    assert torch.linalg.svdvals(half).max() < torch.linalg.svdvals(weight).max()


def pretrain(texts: Path, out: Path, *more: str, cut_at: int | None = None) -> Done:
    """Run the script in a process of its own; ``cut_at`` presses Ctrl-C at a step."""
    small = [*SMALL.split(" "), "--batch-tokens", "256", "--evaluations", "2"]
    step = learn.Learner._step

    def cut(learner: learn.Learner) -> object:
        if learner.progress.step == cut_at:
            os.kill(os.getpid(), signal.SIGINT)
        return step(learner)

    def run() -> None:
        sys.argv = ["pretrain_mini.py", str(texts), "--out", str(out), *small, *more]
        learn.Learner._step = cut
        try:
            pretrain_mini.main()
        except SystemExit as end:  # as the interpreter does
            if isinstance(end.code, str):
                print(end.code, file=sys.stderr)
                sys.exit(1)
            raise

    process = forked.start(run)
    said = process.communicate(timeout=300)
    return Done(process.returncode, *said)


def test_from_text_to_a_base_and_a_resumed_run_is_the_uninterrupted_one(tmp_path):
    texts = tmp_path / "texts"
    texts.mkdir()
    for lang in WORDS:
        (texts / f"{lang}.txt").write_text("\n".join(lines(lang, 150)), encoding="utf-8")
    whole = pretrain(texts, tmp_path / "a")
    assert whole.code == 0, whole.err
    assert "held-out loss" in whole.out and "tokens a word" in whole.out
    done = pretrain(texts, tmp_path / "a")
    assert done.code == 1 and "Use --resume" in done.err
    cut = pretrain(texts, tmp_path / "b", cut_at=20)
    assert cut.code == 1 and "go on with --resume" in cut.err, cut.err
    again = pretrain(texts, tmp_path / "b", "--resume")
    assert again.code == 0, again.err
    one, two = (load_file(tmp_path / x / "model" / "model.safetensors") for x in "ab")
    assert one.keys() == two.keys() and all(torch.equal(one[k], two[k]) for k in one)
    assert {tensor.dtype for tensor in one.values()} == {torch.bfloat16}
    dense = load_file(tmp_path / "a" / "model" / "2_Dense" / "model.safetensors")
    assert pretrain(texts, tmp_path / "b", "--resume").code == 0  # once more, once whitened
    twice = load_file(tmp_path / "b" / "model" / "2_Dense" / "model.safetensors")
    assert all(torch.equal(dense[k], twice[k]) for k in dense)
    other = pretrain(texts, tmp_path / "b", "--resume", "--rate", "0.5")
    assert other.code == 1 and "another settings" in other.err
    encoder = Encoder.from_pretrained(str(tmp_path / "a" / "model"))
    assert encoder.max_length == 128 and encoder.embed(*encoder.batch([[7] * 128])).shape[1] == 128
    assert encoder.family.name == "XLM-R" and encoder.mlm_head() is not None
    assert encoder.pooling.source == "sentence-transformers" and len(encoder.pooling.dense) == 1
    told = json.loads((tmp_path / "a" / "report.json").read_text())
    card = (tmp_path / "a" / "model" / "README.md").read_text()
    for lang, row in told["languages"].items():
        assert row["unknown"] == 0 and f"({lang}) |" in card and f"{row['accuracy']:.1%}" in card


def test_no_text_is_one_clear_line(tmp_path):
    (tmp_path / "texts").mkdir()
    done = pretrain(tmp_path / "texts", tmp_path / "out")
    assert done.code == 1 and "no text to learn from" in done.err
    assert "Traceback" not in done.err and not (tmp_path / "out").exists()
