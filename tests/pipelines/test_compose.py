from __future__ import annotations

import json
from pathlib import Path

import forked
import numpy as np
import pytest
import torch
import transformers
import yaml
from safetensors.torch import load_file
from tiny_commands import Place, everything, good, write_tsv, xadapt
from tiny_models import TEXTS
from tiny_tagging import write_conll
from tiny_training import pairs, tagged

from xadapt.hub.manifest import parse_manifest
from xadapt.hub.opening import open_folder
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.tasks.tagging import Tagger, scores


@pytest.fixture(scope="module")
def three(place: Place, tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, dict[str, Path]]:
    """A LoRA for German, one for Swahili, and a bottleneck."""
    folder = tmp_path_factory.mktemp("modules")
    good(*place.train(folder / "de"))
    data = write_tsv(folder / "sw.tsv", pairs(40, seed=4))
    given = ("--base", place.base, "--data", data, "--lang", "sw")
    small = (
        "--set",
        "module.rank=3",
        "--set",
        "module.alpha=9",
        "--set",
        "train.learning_rate=0.01",
    )
    good("train", "translation_ranking", *given, "--out", folder / "sw", *small)
    narrow = ("--set", "module.width=4")
    good("train", "translation_ranking_bottleneck", *given, "--out", folder / "bn", *narrow)
    return place, {name: folder / name for name in ("de", "sw", "bn")}


def vectors(base: Path, *folders: str, compose: str | None = None) -> np.ndarray:
    return AdaptedEncoder.load(str(base), *folders, compose=compose, dtype="float32").encode(TEXTS)


def test_a_mixture_of_loras_becomes_one_that_every_library_loads(
    three: tuple[Place, dict[str, Path]], tmp_path: Path
) -> None:
    place, modules = three
    out = tmp_path / "both"
    text = f"mix({modules['de']}:.7, {modules['sw']}:.5) + {modules['de']}"
    done = good("compose", text, "--base", place.base, "--out", out, "--loaders", "all")
    assert "one LoRA of rank" in done.out and "exact" in done.out
    manifest = parse_manifest((out / "xadapt.json").read_bytes())
    assert manifest.languages == ["de", "sw"] and len(manifest.data) == 2
    assert manifest.composition and str(tmp_path) not in (out / "xadapt.json").read_text()
    assert not manifest.evidence and len(manifest.parents) == 2
    for loader in manifest.loaders.values():
        assert loader.status in ("verified", "unverified", "no base id", "left out"), loader
    expected = vectors(place.base, compose=text)
    np.testing.assert_allclose(vectors(place.base, str(out), compose=str(out)), expected, atol=1e-5)
    assert np.abs(expected - vectors(place.base)).max() > 1e-4
    before = everything(out)
    again = xadapt("compose", text, "--base", place.base, "--out", out)
    assert again.code == 2 and "not empty" in again.err and everything(out) == before


def test_adapters_and_peft_compute_it_too(
    three: tuple[Place, dict[str, Path]], tmp_path: Path
) -> None:
    pytest.importorskip("adapters")
    pytest.importorskip("peft")
    place, modules = three
    text = f"mix({modules['de']}:.7, {modules['sw']}:-.3)"
    given = ("--base", place.base, "--out", tmp_path / "m", "--loaders", "adapters,peft")
    good("compose", text, *given)
    manifest = parse_manifest((tmp_path / "m" / "xadapt.json").read_bytes())
    for name in ("adapters", "peft"):
        assert manifest.loaders[name].status == "verified"
        assert manifest.loaders[name].max_difference < 1e-5


def test_a_lower_rank_says_what_is_lost(
    three: tuple[Place, dict[str, Path]], tmp_path: Path
) -> None:
    place, modules = three
    text = f"{modules['de']} + {modules['sw']}"
    given = ("--base", place.base, "--out", tmp_path / "m")
    done = good("compose", text, *given, "--rank", "2")
    assert "rank 2" in done.out and "cut away" in done.out
    _, tensors = open_folder(tmp_path / "m")
    assert {len(tensor) for name, tensor in tensors.items() if name.endswith(".A")} == {2}
    wrong = xadapt(
        "compose", str(modules["bn"]), *given[:2], "--out", tmp_path / "n", "--rank", "2"
    )
    assert wrong.code == 2 and "--rank: this needs" in wrong.err and not (tmp_path / "n").exists()


@pytest.mark.parametrize(
    "form",
    [
        "{bn} + mix({de}:.5, {sw}:.5)",
        "by_language(de = {de}, sw = {bn} + {sw}, * = {bn})",
    ],
)
def test_any_composition_is_saved_and_gives_the_same_vectors_in_another_process(
    three: tuple[Place, dict[str, Path]], tmp_path: Path, form: str
) -> None:
    place, modules = three
    text, out = form.format(**modules), tmp_path / "c"
    good("compose", text, "--base", place.base, "--out", out)
    tags = tmp_path / "tags.txt"
    tags.write_text("".join(f"{('de', 'sw', 'fr')[i % 3]}\n" for i in range(len(TEXTS))))
    lines = tmp_path / "t.txt"
    lines.write_text("".join(f"{text}\n" for text in TEXTS))
    given = ("--base", place.base, "--text", lines, "--languages", tags, "--dtype", "float32")
    good("encode", *given, "--compose", text, "--out", tmp_path / "a.npy")
    fresh = forked.command("encode", *given, "--module", out, "--out", tmp_path / "b.npy")
    _, err = fresh.communicate(timeout=600)
    assert fresh.returncode == 0, err
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy"))
    assert json.loads((out / "composition.json").read_text())["schema_version"] == 2
    # and as a part of another composition
    good("encode", *given, "--compose", f"mix({out}:1)", "--out", tmp_path / "c.npy")
    np.testing.assert_allclose(np.load(tmp_path / "c.npy"), np.load(tmp_path / "a.npy"), atol=1e-5)


def test_loras_can_be_kept_apart(three: tuple[Place, dict[str, Path]], tmp_path: Path) -> None:
    place, modules = three
    text = f"{modules['de']} + {modules['sw']}"
    good("compose", text, "--base", place.base, "--out", tmp_path / "c", "--no-merge")
    good("compose", text, "--base", place.base, "--out", tmp_path / "old", "--apart")
    assert (tmp_path / "old" / "composition.json").exists()  # the option's former name
    assert (tmp_path / "c" / "composition.json").exists()
    found = vectors(place.base, str(tmp_path / "c"))
    np.testing.assert_array_equal(found, vectors(place.base, compose=text))
    assert torch.equal(*(open_folder(f)[1]["layers.0.q.0.A"]
                         for f in (modules["de"], tmp_path / "c" / "modules" / "de")))  # fmt: skip


UNRUNNABLE = ["fuse({de}; {sw})", "by_language(* = route({de}; {sw}))"]
WRONG = ["mix(a:.5", "nowhere/at/all", "none", *UNRUNNABLE]


@pytest.mark.parametrize("text", WRONG)
def test_mistakes_are_one_line_and_leave_nothing(
    three: tuple[Place, dict[str, Path]], tmp_path: Path, text: str
) -> None:
    place, modules = three
    text = text.format(**modules)
    done = xadapt("compose", text, "--base", place.base, "--out", tmp_path / "c")
    assert done.code == 2 and len(done.lines) == 1, done.err
    assert everything(tmp_path) == []


def test_the_base_with_loras_in_its_weights(
    three: tuple[Place, dict[str, Path]], tmp_path: Path
) -> None:
    place, modules = three
    text = f"mix({modules['de']}:.7, {modules['sw']}:.5)"
    done = good("compose", text, "--base", place.base, "--out", tmp_path / "m", "--merged")
    assert "in its weights, exact" in done.out
    expected = vectors(place.base, compose=text)
    np.testing.assert_allclose(vectors(tmp_path / "m"), expected, atol=1e-5)
    card = (tmp_path / "m" / "README.md").read_text(encoding="utf-8")
    assert str(tmp_path) not in card and "can't be taken off" in card
    bn = xadapt("compose", modules["bn"], "--base", place.base, "--out", tmp_path / "n", "--merged")
    assert bn.code == 2 and "--merged" in bn.err and not (tmp_path / "n").exists()


def test_a_soup_is_one_module_that_loads(
    three: tuple[Place, dict[str, Path]], tmp_path: Path
) -> None:
    place, modules = three
    text = f"mix({modules['bn']}:1)"
    good("compose", text, "--base", place.base, "--out", tmp_path / "m", "--soup")
    manifest = parse_manifest((tmp_path / "m" / "xadapt.json").read_bytes())
    assert manifest.composition and manifest.composition.startswith("soup of mix(")
    assert manifest.module.kind == "bottleneck" and manifest.loaders["adapters"].status != "cannot"
    found = vectors(place.base, str(tmp_path / "m"), compose=str(tmp_path / "m"))
    np.testing.assert_array_equal(found, vectors(place.base, compose=str(modules["bn"])))
    for more in (["--soup", "--merged"], ["--soup", "--rank", "2"]):
        done = xadapt("compose", text, "--base", place.base, "--out", tmp_path / "n", *more)
        assert done.code == 2 and len(done.lines) == 1 and not (tmp_path / "n").exists()


QUICK_TAGS = ("--set", "dtype=float32", "--set", "train.epochs=2", "--set", "data.train.dev=8")
WORDS = ("the", "cat", "sat", "on", "the", "mat")


@pytest.fixture(scope="module")
def taggers(
    three: tuple[Place, dict[str, Path]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """A tagger with a LoRA inside another module, one alone, and a head without a module."""
    place, modules = three
    folder = tmp_path_factory.mktemp("taggers")
    data = write_conll(folder / "train.conll", tagged(40))
    recipe = folder / "tags.yaml"
    raw = yaml.safe_load(Path("adapter_configs/ner.yaml").read_text(encoding="utf-8"))
    recipe.write_text(yaml.safe_dump({**raw, "module": {"kind": "lora", "rank": 3}}))
    given = ("train", recipe, "--base", place.base, "--data", data, "--lang", "de", *QUICK_TAGS)
    good(*given, "--out", folder / "inside", "--compose", f"{modules['de']} + self")
    good(*given, "--out", folder / "alone")
    recipe.write_text(yaml.safe_dump({**raw, "module": {"kind": "none"}}))
    good(*given, "--out", folder / "probe")
    return {name: folder / name for name in ("inside", "alone", "probe")}


def tag_scores(base: object, text: str) -> np.ndarray:
    """xadapt's log-probabilities of the labels of a sentence's words."""
    tagger = Tagger.load(str(base), compose=text, dtype="float32", device="cpu")
    rows = tagger.adapted.activations(1)
    return scores(tagger.adapted.encoder, tagger.head, [WORDS], rows)[0]


@pytest.mark.parametrize("name", ["inside", "alone", "probe"])
def test_a_merged_tagger_is_a_model_of_transformers_for_its_task(
    three: tuple[Place, dict[str, Path]], taggers: dict[str, Path], tmp_path: Path, name: str
) -> None:
    place, modules = three
    text = f"{modules['de']} + {taggers[name]}" if name == "inside" else str(taggers[name])
    done = good("compose", text, "--base", place.base, "--out", tmp_path / "m", "--merged")
    assert "loads as AutoModelForTokenClassification" in done.out
    model = transformers.AutoModelForTokenClassification.from_pretrained(tmp_path / "m").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "m")
    batch = tokenizer([list(WORDS)], is_split_into_words=True, return_tensors="pt")
    owner = batch.word_ids(0)
    with torch.no_grad():
        logits = model(**batch).logits[0, [owner.index(i) for i in range(len(WORDS))]]
    found = logits.log_softmax(-1).numpy()
    np.testing.assert_allclose(found, tag_scores(place.base, text), atol=1e-5)
    spec = parse_manifest((taggers[name] / "xadapt.json").read_bytes()).head
    assert spec is not None and list(model.config.id2label.values()) == spec.labels
    before = load_file(Path(place.base) / "model.safetensors")
    after = load_file(tmp_path / "m" / "model.safetensors")
    assert {f"bert.{key}" for key in before} <= after.keys()
    assert str(tmp_path) not in (tmp_path / "m" / "README.md").read_text(encoding="utf-8")


def test_one_lora_of_several_keeps_the_head(
    three: tuple[Place, dict[str, Path]], taggers: dict[str, Path], tmp_path: Path
) -> None:
    place, modules = three
    text = f"{modules['de']} + {taggers['inside']}"
    good("compose", text, "--base", place.base, "--out", tmp_path / "m")
    np.testing.assert_allclose(
        tag_scores(place.base, str(tmp_path / "m")), tag_scores(place.base, text), atol=1e-5
    )


def test_a_head_is_named_where_several_could_be_kept(
    three: tuple[Place, dict[str, Path]], taggers: dict[str, Path], tmp_path: Path
) -> None:
    place, modules = three
    text = f"mix({taggers['alone']}, {taggers['inside']})"
    given = ("compose", text, "--base", place.base, "--out", tmp_path / "m", "--merged")
    done = xadapt(*given)
    assert done.code == 2 and len(done.lines) == 1 and "--head" in done.err
    wrong = xadapt(*given, "--head", modules["de"])
    assert wrong.code == 2 and len(wrong.lines) == 1 and "no module with a task head" in wrong.err
    unused = xadapt(*given[:-1], "--no-merge", "--head", taggers["alone"])
    assert unused.code == 2 and len(unused.lines) == 1 and "--head" in unused.err
    assert everything(tmp_path) == []
    good(*given, "--head", taggers["alone"])


def test_a_soup_says_that_its_heads_are_not_in_it(
    three: tuple[Place, dict[str, Path]], taggers: dict[str, Path], tmp_path: Path
) -> None:
    place, _ = three
    text = f"mix({taggers['alone']}:1)"
    done = good("compose", text, "--base", place.base, "--out", tmp_path / "m", "--soup")
    assert "are not in it" in done.out
