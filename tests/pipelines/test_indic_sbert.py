"""Inference triples, then scored pairs, on a pool of languages; and queries with passages."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from tiny_commands import good, xadapt
from tiny_models import tiny_folder

import xadapt as package
from xadapt.config.recipe_file import find_recipe, load_recipe
from xadapt.core.errors import UserError
from xadapt.data.loading.records import Source, load_records
from xadapt.data.records import ScoredPair
from xadapt.hub.opening import read_manifest
from xadapt.tasks.sts import pearson, spearman

WORDS = {
    "en": ("the", "cat", "dog", "sat", "on", "mat"),
    "de": ("die", "katze", "hund", "sitzt", "auf", "matte"),
}
SHORT = {
    "epochs": 1,
    "batch_size": 8,
    "rank": 2,
    "dtype": "float32",
    "settings": {"data.train.dev": 0},
    "loaders": "none",
    "show": False,
}
KINDS = {
    "lora": {"kind": "lora", "rank": 2},
    "bottleneck": {"kind": "bottleneck", "width": 4},
    "mixture_of_loras": {"kind": "mixture_of_loras", "experts": 2, "rank": 2},
}


def sentences(lang: str, count: int) -> list[str]:
    rng = random.Random(0)  # the same in each language: translations line by line
    chosen = [rng.choices(range(6), k=4) for _ in range(count)]
    return [" ".join(WORDS[lang][place] for place in row) for row in chosen]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("indic")
    tiny_folder(folder / "base")
    for lang in WORDS:
        texts = sentences(lang, 90)
        nli = [
            f"{texts[i]}\t{texts[i + shift]}\t{label}\n"
            for i in range(0, 60, 3)
            for shift, label in ((1, "entailment"), (2, "contradiction"))
        ]
        (folder / f"nli_{lang}.tsv").write_text("".join(nli), encoding="utf-8")
        sts = [f"{i}\t{texts[i]}\t{texts[i + 40]}\t{1 + i % 4}\n" for i in range(40)]
        (folder / f"sts_{lang}.tsv").write_text("".join(sts), encoding="utf-8")
    return folder


def by_language(place: Path, name: str) -> dict[str, str]:
    return {lang: str(place / f"{name}_{lang}.tsv") for lang in WORDS}


@pytest.fixture(scope="module")
def first(place: Path) -> Path:
    data = by_language(place, "nli")
    package.train(
        "indic_sbert_nli", base=str(place / "base"), data=data, out=place / "first", joint=True,
        **SHORT,
    )  # fmt: skip
    return place / "first"


def test_the_second_stage_continues_the_first_with_one_pooling(place: Path, first: Path) -> None:
    options = {**SHORT, "settings": {"data.train.dev": 0, "module.init": str(first)}}
    del options["rank"]
    package.train(
        "indic_sbert_sts", base=str(place / "base"), data=by_language(place, "sts"),
        out=place / "second", joint=True, **options,
    )  # fmt: skip
    one, other = read_manifest(first), read_manifest(place / "second")
    assert set(one.languages) == set(other.languages) == set(WORDS)
    assert [parent.name for parent in other.started_from] == [one.name]
    encoder = package.load(str(place / "base"), str(place / "second"), dtype="float32").encoder
    assert one.pooling == other.pooling == encoder.pooling.to_dict()


@pytest.mark.parametrize("kind", list(KINDS)[1:])
def test_other_modules_learn_the_triples(place: Path, tmp_path: Path, kind: str) -> None:
    options = {key: value for key, value in SHORT.items() if key != "rank"}
    options["settings"] = ("data.train.dev=0", f"module={json.dumps(KINDS[kind])}")
    data = by_language(place, "nli")
    package.train(
        "indic_sbert_nli", base=str(place / "base"), data=data, out=tmp_path / "m", joint=True,
        **options,
    )  # fmt: skip
    assert read_manifest(tmp_path / "m").module.kind == kind


def test_no_pair_has_two_languages_and_translations_stay_in_one_part(place: Path) -> None:
    for recipe, name in (("indic_sbert_nli", "nli"), ("indic_sbert_sts", "sts")):
        data = load_recipe(find_recipe(recipe)).data
        spec = {"train": data["train"].model_copy(update={"dev": 10})}
        sources = [Source(path, lang, "en") for lang, path in by_language(place, name).items()]
        loaded = load_records(sources, spec)
        train, dev = loaded.records["train"], loaded.dev
        assert dev and not {r.row for r in train} & {r.row for r in dev}
        assert all(r.row for r in [*train, *dev])
        for row in (*train, *dev):
            if isinstance(row, ScoredPair):
                assert row.left_lang == row.right_lang
            else:
                assert len({row.lang}) == 1 and row.lang in WORDS


def test_the_score_is_divided_by_5_whatever_scores_the_data_has() -> None:
    [spec] = load_recipe(find_recipe("indic_sbert_sts")).objectives
    objective = spec.build()
    rows = [ScoredPair("a", "b", score, "de", "de") for score in (1.0, 3.8, 4.0)]
    made = objective.views(rows, random.Random(0), objective.prepare(rows))
    assert made["scores"] == pytest.approx([0.2, 0.76, 0.8])
    with pytest.raises(UserError, match="not between 0 and 5"):
        objective.prepare([ScoredPair("a", "b", 7.0, "de", "de")])


def test_spearman_is_of_ranks_and_pearson_of_values() -> None:
    gold, found = np.arange(6.0), np.exp(np.arange(6.0))
    assert spearman(gold, found) == pytest.approx(1) == spearmanr(gold, found).statistic
    assert pearson(gold, found) == pytest.approx(pearsonr(gold, found).statistic)
    assert pearson(gold, found) < 0.9


def test_queries_and_passages_from_the_file_to_the_ranking(place: Path, tmp_path: Path) -> None:
    asked, found = sentences("de", 20), sentences("en", 20)
    rows = [
        {"query": asked[i], "positive": {"title": "cat", "text": found[i]}, "answers": [found[i]],
         "negatives": [{"title": "dog", "text": found[-1 - i]}]}
        for i in range(8)
    ]  # fmt: skip
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    package.train(
        "dense_retrieval", base=str(place / "base"), data=str(data), lang="de",
        out=tmp_path / "dr", **SHORT,
    )  # fmt: skip
    passages, questions = tmp_path / "p.tsv", tmp_path / "q.tsv"
    passages.write_text("".join(f"{i}\tcat\t{t}\n" for i, t in enumerate(found)), encoding="utf-8")
    questions.write_text("".join(f"{i}\t{t}\n" for i, t in enumerate(asked)), encoding="utf-8")
    given = ("--base", place / "base", "--module", tmp_path / "dr", "--dtype", "float32")
    good("index", *given, "--passages", passages, "--out", tmp_path / "i")
    assert "0 Q0 " in good("retrieve", tmp_path / "i", *given, "--questions", questions).out
    bad = xadapt("retrieve", tmp_path / "i", *given[:2], *given[4:], "--questions", questions)
    assert bad.code == 2 and "modules: m-" in bad.err and "now none" in bad.err
