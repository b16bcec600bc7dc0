"""Packed rows, their forward pass, borrowed weights, held-out text, and a run that is cut."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))

from mini.borrow import fill, spelt  # noqa: E402
from mini.forward import packed_scores, packed_states  # noqa: E402
from mini.mono import Held, translated  # noqa: E402
from mini.packs import BOS, EOS, PAD, Stream  # noqa: E402
from mini.run import Run, Settings, network, share_of_rate  # noqa: E402
from mini.store import flattened, read_flat, write_flat  # noqa: E402
from mini.tokens import train_tokenizer  # noqa: E402
from mini.transfer import distinct, matched, whitening  # noqa: E402
from mini.trials import products, table, tokens_for  # noqa: E402

WORDS = [
    "the",
    "a",
    "small",
    "big",
    "house",
    "river",
    "bird",
    "sings",
    "runs",
    "under",
    "over",
    "near",
    "old",
    "green",
    "stone",
]
TINY = Settings(
    layers=2, width=32, heads=2, lines=6, line=128, tokens=6000, warmup=500, cooldown=2000,
    looks=2, compile=0,
)  # fmt: skip


def lines(seed: int, count: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, rng.integers(3, 7))) for _ in range(count)]


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(lines(0, 400), 350, 48)


@pytest.fixture(scope="module")
def rows(tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    for part, seed in (("train", 1), ("dev", 2)):
        for lang, count in (("xa", 300), ("xb", 40)):
            write_flat(folder / part, lang, flattened(tokenizer, lines(seed, count)))
    tokenizer.save_pretrained(folder / "tokenizer")
    return folder


def test_rows_come_back_and_long_lines_make_several(tokenizer, tmp_path):
    text = [*lines(3, 20), " ".join(lines(4, 60))]
    flat = flattened(tokenizer, text)
    write_flat(tmp_path, "xa", flat)
    back = read_flat(tmp_path)["xa"]
    assert len(back) == len(flat) > 21 and back.letters == sum(map(len, text))
    whole = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert list(back[3]) == whole[3]
    assert [int(i) for row in range(20, len(back)) for i in back[row]] == whole[20]
    assert max(len(back[i]) for i in range(len(back))) <= 126


def test_a_batch_holds_whole_rows_and_hides_some(rows, tokenizer):
    flat = read_flat(rows / "train")
    stream = Stream(flat, 0.5, 6, 128, 0.2, len(tokenizer), seed=3)
    known = {tuple(map(int, own[i])) for own in flat.values() for i in range(len(own))}
    for _ in range(5):
        batch = next(stream)
        ids = batch.ids.flatten().clone()
        ids[batch.places] = batch.answers
        ids = ids.view_as(batch.ids)
        assert batch.tokens == int((batch.segments > 0).sum()) > 0.85 * ids.numel()
        assert bool((ids[batch.segments == 0] == PAD).all())
        assert len(batch.places) == stream.scored
        for line, segments, positions in zip(ids, batch.segments, batch.positions, strict=True):
            for number in range(1, int(segments.max()) + 1):
                row = line[segments == number].tolist()
                assert row[0] == BOS and row[-1] == EOS and tuple(row[1:-1]) in known
                there = positions[segments == number].tolist()
                assert there == list(range(PAD + 1, PAD + 1 + len(row)))


def test_a_stream_goes_on_where_another_stood(rows, tokenizer):
    flat = read_flat(rows / "train")
    one = Stream(flat, 0.5, 4, 128, 0.2, len(tokenizer))
    for _ in range(7):
        next(one)
    two = Stream(flat, 0.5, 4, 128, 0.2, len(tokenizer))
    two.restore(json.loads(json.dumps(one.state())))
    assert torch.equal(next(one).ids, next(two).ids)


def test_each_language_is_read_evenly(rows, tokenizer):
    stream = Stream(read_flat(rows / "train"), 0.0, 6, 128, 0.2, len(tokenizer))
    for _ in range(60):
        next(stream)
    assert stream.read["xa"] / stream.read["xb"] == pytest.approx(1, abs=0.15)
    assert stream.read["xb"] > 40  # it has begun again


def test_packed_rows_are_read_as_alone(rows, tokenizer):
    stream = Stream(read_flat(rows / "train"), 0.5, 4, 128, 0.2, len(tokenizer))
    batch = next(stream)
    model = network(TINY, tokenizer).eval()
    with torch.no_grad():
        packed = packed_states(model, batch.ids, batch.segments, batch.positions)
        for line in range(4):
            own = batch.segments[line] == 2
            alone = model.roberta(input_ids=batch.ids[line][own].unsqueeze(0))[0][0]
            assert torch.allclose(packed[line][own], alone, atol=1e-5)
        scores = packed_scores(model, batch.ids, batch.segments, batch.positions, batch.places)
    assert scores.shape == (stream.scored, len(tokenizer))


def test_the_rate_rises_stays_and_falls():
    settings = replace(TINY, tokens=1000, warmup=100, cooldown=200)
    told = [share_of_rate(tokens, settings) for tokens in (0, 49, 99, 500, 800, 900, 1000)]
    assert told == pytest.approx([0.01, 0.5, 1, 1, 1, 0.5, 0])


class Cut(Exception):
    pass


def test_a_cut_run_is_the_uncut_one(rows, tmp_path):
    whole = Run(rows, tmp_path / "a", TINY)
    whole.learn()
    cut = Run(rows, tmp_path / "b", replace(TINY, every=0))
    step = cut._step

    def stop(batch):
        if cut.steps == 5:
            raise Cut
        return step(batch)

    cut._step = stop
    with pytest.raises(Cut):
        cut.learn()
    again = Run(rows, tmp_path / "b", TINY)
    again.resume()
    assert again.steps == 5
    again.learn()
    one, two = whole.model.state_dict(), again.model.state_dict()
    assert all(torch.equal(one[key], two[key]) for key in one)
    logs = [(tmp_path / x / "log.jsonl").read_text().splitlines() for x in "ab"]
    assert [json.loads(row)["dev_loss"] for row in logs[0]][-1] == json.loads(logs[1][-1])[
        "dev_loss"
    ]
    assert len(logs[0]) == 2
    with pytest.raises(SystemExit, match="another rate"):
        Run(rows, tmp_path / "b", replace(TINY, rate=0.5)).resume()
    Run(
        rows, tmp_path / "b", replace(TINY, init="gone", tokens=9000, cooldown=100, lines=16)
    ).resume()


def test_pieces_are_found_in_the_words_of_a_bert():
    assert [spelt(piece) for piece in ("▁House", "ing", ",", "<mask>")] == [
        "house", "##ing", ",", "[MASK]"
    ]  # fmt: skip
    table = torch.arange(12.0).view(4, 3)
    words = {"[PAD]": 0, "house": 1, "##ing": 2, "[unused1]": 3}
    pieces = {"▁house": 0, "ing": 1, "▁дом": 2}
    own, alike = torch.zeros(3, 3), torch.tensor([[1.0, 0.0], [-1.0, 0.2], [0.9, 0.1]])
    mean = fill(own, table, words, pieces, alike.repeat(1, 1))
    assert mean == 2 and torch.equal(own[0], table[1]) and torch.equal(own[1], table[2])
    assert torch.allclose(own[2], table[1], atol=0.01)


def test_a_line_with_a_held_out_sentence_is_held_out():
    held = Held({"thebirdsingsnearthegreenriver", "shortone"})
    assert held.has("The bird sings near the green river.")
    assert held.has("Now, the bird sings near the green river again")
    assert held.has("Look! Short one. Yes.")
    assert not held.has("a short one inside") and not held.has("The bird sings near the river.")
    assert translated("Azure-Dienst", "de") and not translated("Azure services", "en")


def test_nearest_sentences_and_directions():
    rng = np.random.default_rng(0)
    left = rng.normal(size=(40, 6))
    assert matched(left, left + 0.01) == 1 and matched(left, np.roll(left, 1, 0)) < 0.2
    spread = np.cov((left @ whitening(left)).T)
    assert abs(spread - np.diag(np.diag(spread))).max() < 0.2
    assert distinct([["a", "b"], ["a", "c"], ["d", "b"], ["e", "f"]]) == [["a", "b"], ["e", "f"]]


def test_equal_compute():
    small, large = {"layers": 3}, {"layers": 6}
    assert tokens_for(small, 1e12) > tokens_for(large, 1e12)
    assert products({"share": 0.4}) > products({"share": 0.1})


def test_the_table_of_trials(tmp_path):
    log = [{"tokens": 2_500_000, "seconds": 90.4}]
    found = {"loss": 4.25, "accuracy": 0.2, "languages": {"xa": {"loss": 4.25}}}
    kept = {"plan": {"name": "a", "init": "x/bert", "looks": 1}, "log": log, "found": found}
    (tmp_path / "a.json").write_text(json.dumps(kept))
    rows = table(tmp_path).splitlines()
    assert rows[2] == "| a | init bert | 2.50 | 90 | 4.250 |  | 0.200 |  |  |  |"
    assert len({row.count("|") for row in rows}) == 1
