"""A profile of a base and a module: every number computed again from raw vectors and tokens."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tiny_commands import write_tsv
from tiny_folders import manifest_of, random_module
from tiny_models import tiny_folder
from tiny_training import pairs, shaken

import xadapt
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.data.records import ParallelPair
from xadapt.functional.spelling_noise import misspelled
from xadapt.hub.folder import write_folder
from xadapt.tasks.alignment import BASE, BOTH, LANGUAGE

LANGS = ("de", "sw")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base, a module with an effect for German, and pairs of two languages, one repeated."""
    folder = tmp_path_factory.mktemp("profile")
    tiny_folder(folder / "base")
    encoder = Encoder.from_pretrained(str(folder / "base"))
    module = shaken(random_module(encoder, "lora", rank=2), seed=3, scale=0.2)
    made = manifest_of(
        encoder, module, base={"model_type": "bert", "fingerprint": encoder.identity.to_dict()},
        languages=["de"],
    )  # fmt: skip
    write_folder(folder / "m", module, encoder, made, verify={}, head=None, loaders="all")
    for seed, lang in enumerate(LANGS):
        rows = pairs(45, seed=seed)
        write_tsv(folder / f"en-{lang}.tsv", [*rows, rows[0]])
    return folder


@pytest.fixture(scope="module")
def found(place: Path):
    return xadapt.profile(
        base=str(place / "base"), lang=LANGS, data=place / "en-{lang}.tsv", modules=place / "m",
        noise=0.2, seed=4,
    )  # fmt: skip


@pytest.fixture(scope="module")
def raw(place: Path, found):
    """The vectors of every system, by the plain encoder with and without the module."""
    base, module = (
        xadapt.load(str(place / "base")),
        xadapt.load(str(place / "base"), str(place / "m"), compose=str(place / "m")),
    )
    made = {}
    for lang in LANGS:
        lines = (place / f"en-{lang}.tsv").read_text("utf-8").splitlines()
        rows, seen = [], set()
        for line in lines:
            pivot, text = line.split("\t")
            if pivot not in seen and text not in seen:
                rows.append((text, pivot))
            seen |= {pivot, text}
        texts, pivots = map(list, zip(*rows, strict=True))
        noisy = [misspelled(text, 0.2, random.Random(f"4:{text}")) for text in texts]
        by_base = [base.encode(side) for side in (texts, pivots, noisy)]
        by_module = [module.encode(side) for side in (texts, pivots, noisy)]
        made[lang] = {
            "texts": texts, "pivots": pivots, BASE: by_base, BOTH: by_module,
            LANGUAGE: [by_module[0], by_base[1], by_module[2]],
        }  # fmt: skip
    return made


def unit(vectors):
    rows = np.asarray(vectors, dtype=np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def accuracy(left, right):
    table = unit(left) @ unit(right).T
    own = np.arange(len(table))
    return ((table.argmax(1) == own).mean() + (table.argmax(0) == own).mean()) / 2


@pytest.mark.parametrize("system", [BASE, LANGUAGE, BOTH])
@pytest.mark.parametrize("lang", LANGS)
def test_every_number_of_a_language_again_from_raw_vectors(found, raw, lang, system):
    row = next(one for one in found.languages if one.lang == lang)
    one = row[system]
    texts, pivots, noisy = map(unit, raw[lang][system])
    base = unit(raw[lang][BASE][1])
    n = len(texts)
    assert row.pairs == n
    off = ~np.eye(n, dtype=bool)
    across, own, other = texts @ pivots.T, texts @ texts.T, pivots @ pivots.T
    upper = np.triu_indices(n, 1)
    first = [
        np.where(off, own, -9).max(1) > across.max(1),
        np.where(off, other, -9).max(1) > across.max(0),
    ]
    wanted = {
        "accuracy": accuracy(texts, pivots),
        "noisy": accuracy(noisy, pivots),
        "noisy_cosine": (texts * noisy).sum(1).mean(),
        "source_kept": (pivots * base).sum(1).mean(),
        "source_order": spearmanr(other[upper], (base @ base.T)[upper]).statistic,
        "own_language_first": np.mean(first),
        "translations": np.diagonal(across).mean(),
        "within": (own[off].mean() + other[off].mean()) / 2,
        "across": across[off].mean(),
    }
    for name, value in wanted.items():
        assert getattr(one, name) == pytest.approx(value, abs=1e-5), name
    assert one.low <= one.accuracy <= one.high
    assert one.noise_loss == pytest.approx(wanted["accuracy"] - wanted["noisy"], abs=1e-9)


def test_the_module_matters_where_it_acts(found):
    for row in found.languages:
        base, side, both = row.systems
        assert base.source_kept == pytest.approx(1) and side.source_kept == pytest.approx(1)
        assert both.source_kept < 0.999 and both.source_order < 0.999
        assert side.translations != pytest.approx(base.translations, abs=1e-4)
        assert both.noisy_cosine < 1 and row.dropped >= 1


def test_tokens_again_by_the_tokenizer(found, raw, place):
    tokenizer = Encoder.from_pretrained(str(place / "base")).tokenizer
    for row in found.languages:
        texts, pivots = (raw[row.lang][side] for side in ("texts", "pivots"))
        own = [tokenizer.encode(text, add_special_tokens=False) for text in texts]
        other = [tokenizer.encode(text, add_special_tokens=False) for text in pivots]
        total = sum(map(len, own))
        assert row.spelled.tokens_per_word == total / sum(len(text.split()) for text in texts)
        letters = sum(len(text.replace(" ", "")) for text in texts)
        assert row.spelled.tokens_per_character == total / letters
        assert row.spelled.parity == total / sum(map(len, other))
        assert row.spelled.unknown == 0 and row.spelled.cut == 0


def test_leakage_again_from_raw_vectors(found, raw):
    def held(pivot):
        return random.Random(pivot.lower().replace(" ", "")).random() < 0.5

    for one in found.told:
        sides = {lang: (raw[lang][one.system][0], raw[lang]["pivots"]) for lang in LANGS}
        sides["en"] = (
            np.concatenate([raw[lang][one.system][1] for lang in LANGS]),
            [pivot for lang in LANGS for pivot in raw[lang]["pivots"]],
        )
        rows = np.concatenate([unit(vectors) for vectors, _ in sides.values()])
        test = np.array([held(pivot) for _, pivots in sides.values() for pivot in pivots])
        labels = np.array([name for name, (vectors, _) in sides.items() for _ in vectors])
        probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        said = probe.fit(rows[~test], labels[~test]).predict(rows[test])
        for name, share in one.recall.items():
            right = said[labels[test] == name] == name
            assert share == pytest.approx(right.mean(), abs=0.03), (one.system, name)
        assert one.accuracy == pytest.approx(np.mean(list(one.recall.values())))
        assert one.tested == test.sum() and one.chance == pytest.approx(1 / 3)


def test_sizes_are_those_of_the_files(found, place):
    base, module = found.sizes
    encoder = Encoder.from_pretrained(str(place / "base"))
    count = sum(value.numel() for value in encoder.model.parameters())
    held = sum(value.numel() * value.element_size() for value in encoder.model.parameters())
    assert (base.name, base.parameters, base.bytes) == ("base", count, held)
    own = xadapt.load(str(place / "base"), str(place / "m"))
    assert module.name == "m" and 0 < module.parameters < count and own is not None
    file = json.loads((place / "m" / "xadapt.json").read_text())["module"]["file"]
    assert module.bytes == (place / "m" / file).stat().st_size


def test_the_base_alone_has_one_system(place):
    found = xadapt.profile(base=str(place / "base"), lang="de", data=place / "en-{lang}.tsv")
    assert found.systems == [BASE] and found.composition == "" and len(found.sizes) == 1
    assert [one.system for one in found.told] == [BASE]
    again = xadapt.profile(base=str(place / "base"), lang="de", data=place / "en-{lang}.tsv")
    assert found == again


def test_the_sample_and_a_limit(place):
    found = xadapt.profile(base=str(place / "base"), lang=["ru"], limit=40)
    [row] = found.languages
    assert row.pairs == 40 and row.name == "Russian" and found.facts["data"] == "sample:test"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"lang": ()}, "no language is named"),
        ({"lang": "en"}, "en is the pivot"),
        ({"limit": 5}, "needs 20 pairs or more"),
        ({"noise": 0}, "share of mistyped letters"),
        ({"noise": 2.0}, "share of mistyped letters"),
        ({"data": "absent-{lang}.tsv"}, "absent-de.tsv"),
        ({"modules": "absent"}, "absent"),
        ({"lang": ["de", "sw"], "compose": "by_language(sw=M)"}, "no module for de"),
    ],
)
def test_mistakes_are_told(place, given, said):
    if "compose" in given:
        given = given | {"modules": [f"M={place / 'm'}"]}
    options = {"base": str(place / "base"), "lang": "de", "data": place / "en-{lang}.tsv"} | given
    with pytest.raises(UserError, match=said):
        xadapt.profile(**options)


def test_too_few_pairs_are_refused(place, tmp_path):
    file = write_tsv(
        tmp_path / "few.tsv",
        [
            ParallelPair(f"die {w} da", f"the {w} {i}", "de")
            for i in range(9)
            for w in ("abc", "bcd", "cde")
        ],
    )
    with pytest.raises(UserError, match="there are 3 different pairs in de, and 20 are needed"):
        xadapt.profile(base=str(place / "base"), lang="de", data=file)
