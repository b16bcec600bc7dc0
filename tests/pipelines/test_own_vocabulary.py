"""The first values of a vocabulary's rows, and runs of its recipe."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from tiny_models import tiny_encoder, tiny_folder

import xadapt
from xadapt.core.errors import UserError
from xadapt.data.records import ParallelPair, PlainText
from xadapt.injection.attachment import embedding_table
from xadapt.pipelines.own_vocabulary import overlap, vocabulary_from

NOUNS = {"кошка": "cat", "собака": "dog", "матрас": "mat", "парк": "park"}
VERBS = {"сидит": "sat", "бежит": "runs", "смотрит": "looks"}
PAIRS = [
    ParallelPair(f"{a} {v} {b}", f"{NOUNS[a]} {VERBS[v]} {NOUNS[b]}", "ru")
    for a, v, b in product(NOUNS, VERBS, NOUNS)
    if a != b
]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return str(tiny_folder(tmp_path_factory.mktemp("base")))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "pairs.tsv"
    path.write_text("".join(f"{p.pivot}\t{p.text}\n" for p in PAIRS), encoding="utf-8")
    return str(path)


def run(data, base, out, *settings, **more):
    return xadapt.train(
        "vocabulary_alignment", base=base, data=data, lang="ru", out=out,
        settings=["module.size=80", "module.module.rank=2", "train.epochs=1", "dtype=float32",
                  "data.train.dev=6", *settings],
        **more,
    )  # fmt: skip


def near(encoder, module, piece, word):
    """The cosine of a piece's row and the mean row of a word of the base."""
    row = module.own.rows[module.vocabulary.pieces.index(piece)]
    ids = encoder.tokenizer(word, add_special_tokens=False)["input_ids"]
    return float(torch.cosine_similarity(row, embedding_table(encoder).weight[ids].mean(0), dim=0))


def test_rows_begin_with_translations_learnt_from_the_pairs():
    encoder = tiny_encoder()
    module = vocabulary_from({"size": 80}, encoder, PAIRS)
    assert module.options.start == "translations" and module.options.started["combined"] == 7
    for own, word in {**NOUNS, **VERBS}.items():
        others = [near(encoder, module, f"▁{own}", w) for w in ("query", "katika", "mkeka")]
        assert near(encoder, module, f"▁{own}", word) > max(0.5, *others)


def test_the_mean_of_the_base_s_own_pieces_and_copied_rows_by_hand():
    encoder = tiny_encoder()
    texts = [PlainText("paka mbwa xyz, die katze", "sw")] * 4
    module = vocabulary_from({"size": 60, "start": "pieces"}, encoder, texts)
    table, own = embedding_table(encoder).weight, module.vocabulary.pieces
    same = overlap(own, encoder.tokenizer)
    names = {i: piece for piece, i in encoder.tokenizer.get_vocab().items()}
    assert same and all(names[i] == own[place] for place, i in same.items())
    for place, i in same.items():
        assert torch.equal(module.own.rows[place], table[i])
    place = next(i for i, p in enumerate(own) if i not in same and len(p) > 2)
    text = own[place].replace("▁", " ").strip()
    ids = encoder.tokenizer(text, add_special_tokens=False)["input_ids"]
    ids = [i for i in ids if i != encoder.tokenizer.unk_token_id]
    assert torch.allclose(module.own.rows[place], table[ids].mean(0))
    assert sum(module.options.started.values()) == len(own) == module.options.pieces


def test_focus_rows_are_convex_combinations_of_copied_ones():
    encoder = tiny_encoder()
    texts = [PlainText(f"paka xo{i % 3} mbwa ya{i % 3} on the mat", "sw") for i in range(60)]
    module = vocabulary_from({"size": 90}, encoder, texts)
    assert module.options.start == "focus" and module.options.started["combined"]
    copied = list(overlap(module.vocabulary.pieces, encoder.tokenizer).values())
    known = embedding_table(encoder).weight[copied]
    low, high = known.min(0).values - 1e-5, known.max(0).values + 1e-5
    inside = ((module.own.rows >= low) & (module.own.rows <= high)).all(1)
    combined = module.options.started["combined"] + module.options.started["copied"]
    assert int(inside.sum()) >= combined


def test_equal_records_give_equal_modules_and_translations_need_pairs():
    encoder = tiny_encoder()
    one, other = (vocabulary_from({"size": 80}, encoder, PAIRS, seed=1) for _ in range(2))
    assert one.options == other.options
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name
    plain = [PlainText(p.text, "ru") for p in PAIRS]
    with pytest.raises(UserError, match="no pairs of sentences"):
        vocabulary_from({"start": "translations"}, encoder, plain)
    with pytest.raises(UserError, match="hold none"):
        vocabulary_from({}, encoder, [])


def test_a_run_is_saved_loaded_verified_and_reused(base, data, tmp_path):
    trained = run(data, base, tmp_path / "ru")
    manifest = trained.manifest
    assert manifest.module.kind == "vocabulary" and manifest.module.options["pieces"] > 20
    assert {one.status for one in manifest.loaders.values()} <= {"cannot hold", "left out"}
    model = xadapt.load(base, str(tmp_path / "ru"))
    vectors = model.encode([p.text for p in PAIRS[:5]], "ru")
    assert abs(vectors - model.with_(None).encode([p.text for p in PAIRS[:5]])).max() > 1e-3
    assert run(data, base, tmp_path / "ru", resume=True).reused
    found = xadapt.verify(str(tmp_path / "ru"), base=base)
    assert found.ok, str(found)
    card = (tmp_path / "ru" / "README.md").read_text(encoding="utf-8")
    assert "rows of its own" in card


def test_a_resumed_run_is_the_uninterrupted_one(base, data, tmp_path):
    class Stop:
        """Interrupt at the second step, as Ctrl-C does."""

        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step == 2:
                raise KeyboardInterrupt

    whole = run(data, base, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(data, base, tmp_path / "cut", callbacks=[Stop()])
    run(data, base, tmp_path / "cut", resume=True)
    one, other = (
        (tmp_path / name / "module.safetensors").read_bytes() for name in ("whole", "cut")
    )
    assert one == other and whole.manifest


def test_an_objective_on_single_tokens_is_refused(tmp_path):
    base = str(tiny_folder(tmp_path / "masked", mlm=True))
    text = tmp_path / "text.txt"
    text.write_text("\n".join(p.text for p in PAIRS), encoding="utf-8")
    recipe = {
        "name": "words",
        "description": "x",
        "source": {"paper": "none", "url": "https://example.org"},
        "module": {"kind": "vocabulary", "size": 80},
        "objectives": [{"name": "mlm"}],
        "data": {"train": {"reader": "plain_text", "dev": 6}},
    }
    with pytest.raises(UserError, match="the base's own tokens") as fault:
        xadapt.train(recipe, base=base, data=str(text), lang="ru", out=tmp_path / "x")
    assert "\n" not in str(fault.value) and not (tmp_path / "x" / "xadapt.json").exists()
