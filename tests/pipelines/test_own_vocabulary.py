"""The first values of a vocabulary's rows, and runs of its recipe."""

from __future__ import annotations

from importlib.util import find_spec
from itertools import product

import pytest
import torch
import transformers
from tiny_commands import good
from tiny_commands import xadapt as xadapt_command
from tiny_models import tiny_encoder, tiny_folder
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

import xadapt
from xadapt.core.errors import UserError
from xadapt.data.records import ParallelPair, PlainText
from xadapt.hub.opening import read_manifest
from xadapt.injection.attachment import embedding_table
from xadapt.integrations import adapters, graph_export, plain
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


def test_a_dictionary_gives_rows_and_the_others_stand_near_them(tmp_path):
    """Words of the dictionary are their translations; others are combinations of such rows."""
    encoder = tiny_encoder()
    path = tmp_path / "words.tsv"
    known = {word: english for word, english in NOUNS.items() if word != "парк"}
    path.write_text("".join(f"{e}\t{w}\n" for w, e in {**known, **VERBS}.items()), "utf-8")
    plain = [PlainText(p.text, "ru") for p in PAIRS]
    options = {"size": 80, "dictionary": str(path)}
    module = vocabulary_from(options, encoder, plain)
    assert module.options.start == "dictionary" and module.options.dictionary == "words.tsv"
    assert module.options.started["combined"] > 7  # those of the dictionary, and others near them
    for own, word in {**known, **VERBS}.items():
        assert near(encoder, module, f"▁{own}", word) > 0.99
    table = embedding_table(encoder).weight
    ids = [encoder.tokenizer(w, add_special_tokens=False)["input_ids"] for w in
           (*known.values(), *VERBS.values())]  # fmt: skip
    row = module.own.rows[module.vocabulary.pieces.index("▁парк")]
    copied = overlap(module.vocabulary.pieces, encoder.tokenizer).values()
    rows = table[sorted({*copied, *(i for one in ids for i in one)})]
    assert (row >= rows.min(0).values - 1e-5).all() and (row <= rows.max(0).values + 1e-5).all()
    with pytest.raises(UserError, match="Give both, or neither"):
        vocabulary_from({**options, "start": "focus"}, encoder, plain)
    with pytest.raises(UserError, match="Give both, or neither"):
        vocabulary_from({"start": "dictionary"}, encoder, plain)
    with pytest.raises(UserError, match="name no language"):
        vocabulary_from(options, encoder, [PlainText(p.text, "") for p in PAIRS])


def test_a_given_tokenizer_reads_the_texts(tmp_path):
    """WordPiece with special tokens of its own: the base's take their places."""
    encoder = tiny_encoder()
    core = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.WordPieceTrainer(
        vocab_size=60, special_tokens=["[UNK]", "[CLS]", "[SEP]"], show_progress=False
    )
    core.train_from_iterator([p.text for p in PAIRS], trainer)
    core.enable_truncation(3)
    core.save(str(tmp_path / "tokenizer.json"))
    for place in (tmp_path, tmp_path / "tokenizer.json"):
        module = vocabulary_from({"tokenizer": str(place)}, encoder, PAIRS)
    own, base = module.vocabulary, encoder.tokenizer
    row = own(["кошка сидит zzz"])["input_ids"][0]
    assert row[0] == base.cls_token_id and row[-1] == base.sep_token_id
    assert row[-2] == base.unk_token_id == own.unknown and len(row) > 4
    assert module.options.tokenizer in ("tokenizer.json",)
    assert near(encoder, module, "кошка", "cat") > 0.5
    assert "[UNK]" not in own.pieces and "[CLS]" in own.pieces


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "can't be read"),
        (b"\xff\xfe", "UTF-8"),
        (b"{}", "no tokenizer"),
        (b"", "no tokenizer"),
    ],
)
def test_a_given_file_that_is_no_tokenizer_is_one_line(tmp_path, content, said):
    path = tmp_path / "t.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=said) as fault:
        vocabulary_from({"tokenizer": str(path)}, tiny_encoder(), PAIRS)
    assert "\n" not in str(fault.value)


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
    english = [p.pivot for p in PAIRS[:5]]
    on = xadapt.load(base, compose=str(tmp_path / "ru"))
    assert (on.encode(english) == model.with_(None).encode(english)).all()
    assert run(data, base, tmp_path / "ru", resume=True).reused
    found = xadapt.verify(str(tmp_path / "ru"), base=base)
    assert found.ok, str(found)
    card = (tmp_path / "ru" / "README.md").read_text(encoding="utf-8")
    assert "rows of its own" in card and "All other texts keep the vectors of the base." in card


@pytest.fixture(scope="module")
def ru(data, base, tmp_path_factory):
    """A trained vocabulary with a LoRA."""
    folder = tmp_path_factory.mktemp("modules") / "ru"
    run(data, base, folder)
    return folder


def test_compose_writes_the_base_with_the_vocabulary_as_its_own(ru, base, tmp_path):
    done = good("compose", ru, "--base", base, "--out", tmp_path / "m", "--merged")
    assert "its tokenizer reads ru alone" in done.out
    texts = [p.text for p in PAIRS[:6]]
    model = xadapt.load(base, str(ru), dtype="float32")
    wanted = model.encode(texts, "ru")
    found = xadapt.load(str(tmp_path / "m"), dtype="float32").encode(texts)
    assert abs(found - wanted).max() < 1e-5
    assert abs(wanted - model.with_(None).encode(texts)).max() > 1e-3
    card = (tmp_path / "m" / "README.md").read_text(encoding="utf-8")
    assert "a vocabulary for ru" in card and "letters or as unknown tokens" in card
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "m")
    states = transformers.AutoModel.from_pretrained(tmp_path / "m").eval()
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = states(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    mean = (hidden * mask).sum(1) / mask.sum(1)
    assert abs(mean.numpy() - wanted).max() < 1e-5


@pytest.mark.skipif(
    not all(map(find_spec, graph_export.NEEDS["onnx"][0])), reason="the extra onnx is absent"
)
def test_a_graph_reads_the_language_of_the_vocabulary(ru, base, tmp_path):
    good("export", "--merged", "--base", base, "--module", ru, "--out", tmp_path / "g")
    texts = [p.text for p in PAIRS[:6]]
    wanted = xadapt.load(base, str(ru), dtype="float32").encode(texts, "ru")
    found = graph_export.encode_graph(tmp_path / "g", "onnx", texts)
    assert abs(found - wanted).max() < 1e-3


def test_a_stack_with_a_vocabulary_is_merged_and_what_is_no_lora_is_refused(
    ru, base, data, tmp_path
):
    settings = ["module.rank=2", "train.epochs=1", "dtype=float32", "data.train.dev=6"]
    xadapt.train("translation_ranking", base=base, data=data, lang="ru", out=tmp_path / "b",
                 settings=settings)  # fmt: skip
    text = f"{ru} + {tmp_path / 'b'}"
    good("compose", text, "--base", base, "--out", tmp_path / "m", "--merged")
    texts = [p.text for p in PAIRS[:6]]
    wanted = xadapt.load(base, compose=text, dtype="float32").encode(texts)
    found = xadapt.load(str(tmp_path / "m"), dtype="float32").encode(texts)
    assert abs(found - wanted).max() < 1e-5
    run(data, base, tmp_path / "c", "module.module={kind: bottleneck, width: 4}")
    for more in ("--merged", "--adapters-setup"):
        done = xadapt_command(
            "compose", tmp_path / "c", "--base", base, "--out", tmp_path / "n", more
        )
        if more == "--merged":
            assert done.code == 2 and len(done.lines) == 1 and not (tmp_path / "n").exists()


@pytest.mark.skipif(adapters.available() is not None, reason="adapters is not installed")
def test_adapters_opens_the_vocabulary_as_embeddings(ru, base, tmp_path):
    good("compose", ru, "--base", base, "--out", tmp_path / "s", "--adapters-setup")
    texts = [p.text for p in PAIRS[:6]]
    wanted = xadapt.load(base, str(ru), dtype="float32").encode(texts, "ru")
    model, tokenizer = adapters.with_embeddings(tmp_path / "s", base, tmp_path / "s" / "embeddings")
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    hidden = plain.last_states(model, batch["input_ids"], batch["attention_mask"])
    mask = batch["attention_mask"].unsqueeze(-1)
    mean = (hidden * mask).sum(1) / mask.sum(1)
    assert abs(mean.numpy() - wanted).max() < 1e-5
    card = (tmp_path / "s" / "README.md").read_text(encoding="utf-8")
    assert "load_embeddings" in card


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


def test_an_objective_on_single_tokens_is_refused(data, tmp_path):
    base = str(tiny_folder(tmp_path / "masked", mlm=True))
    recipe = {
        "name": "words",
        "description": "x",
        "source": {"paper": "none", "url": "https://example.org"},
        "module": {"kind": "vocabulary", "size": 80},
        "objectives": [{"name": "tlm"}],
        "data": {"train": {"dev": 6}},
    }
    with pytest.raises(UserError, match="the base's own tokens") as fault:
        xadapt.train(recipe, base=base, data=data, lang="ru", out=tmp_path / "x")
    assert "\n" not in str(fault.value) and not (tmp_path / "x" / "xadapt.json").exists()


def test_rows_are_trained_by_masked_language_modelling_on_plain_text(tmp_path):
    base = str(tiny_folder(tmp_path / "masked", mlm=True))
    text = tmp_path / "text.txt"
    text.write_text("\n".join(p.text for p in PAIRS), encoding="utf-8")
    small = ["module.size=80", "module.module.rank=2", "train.epochs=3", "dtype=float32"]
    trained = xadapt.train(
        "vocabulary_mlm", base=base, data=str(text), lang="ru", out=tmp_path / "m",
        settings=[*small, "train.learning_rate=0.02"],
    )  # fmt: skip
    losses = [loss for _, loss in trained.history.curves["mlm"]]
    assert losses[-1] < losses[0] - 0.3
    manifest = read_manifest(tmp_path / "m")
    assert manifest.module.options["start"] == "focus" and manifest.objectives == ["mlm"]
    found = xadapt.verify(str(tmp_path / "m"), base=base)
    assert found.ok, str(found)
    good("compose", tmp_path / "m", "--base", base, "--out", tmp_path / "w", "--merged")
