"""Dense retrieval: questions in other languages against English paragraphs, with fused queries.

The queries that are fused are the other questions on a paragraph, by people: no question that is
measured is fused, nor its translation. The weight is chosen on articles that are not in the test.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from experiments.contract import LANGUAGE_MODEL, SHUFFLED, Experiment, Place, Variant
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.passage_index import opened
from xadapt.inference.passage_indexing import index_passages
from xadapt.integrations.ranking_measures import measure_rankings
from xadapt.vectors.query_fusion import choose_weight, fuse

TRAINED, TESTED, AFRICAN = ("de", "es"), ("de", "es"), ("swa",)
ROWS, PARAGRAPHS, DEV_ARTICLES, AFRICAN_ROWS = 960, 150, 10, 200
WEIGHTS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.85, 0.95)
MEASURES = {"Success@1": "R@1", "Success@10": "R@10", "RR": "MRR"}
Row = dict[str, Any]


class DenseRetrieval(Experiment):
    """German and Spanish questions, and Swahili ones that nothing was trained on."""

    system, against, main = "dense retrieval", LANGUAGE_MODEL, "XQuAD MRR"
    about = (
        f"Trained on {ROWS} German and Spanish questions of MLQA with their English paragraphs, "
        "two epochs, the upper half of the layers, 64 tokens. XQuAD: the first German or Spanish "
        f"question of a paragraph against {PARAGRAPHS} English paragraphs, without the first "
        f"{DEV_ARTICLES} articles, which choose the weight of fused queries. `+ en` fuses the "
        "other English questions of a paragraph, `+ own` those in the language of the question, "
        "`+ shuffled` those of another paragraph. AfriQA: "
        f"{AFRICAN_ROWS} Swahili questions against their "
        "English passages, without fusion, since a passage has one question there."
    )

    def variants(self, place: Place) -> Sequence[Variant]:
        """The system, the shuffled control, and a language model on the same paragraphs."""
        rows = mlqa(place.data)
        train, turned = place.work / "train.jsonl", place.work / "shuffled.jsonl"
        text = place.work / "paragraphs.txt"
        moved = [
            {**row, "positive": rows[(at + len(rows) // 2) % len(rows)]["positive"], "answers": []}
            for at, row in enumerate(rows)
        ]
        write(train, [json.dumps(row) for row in rows])
        write(turned, [json.dumps(row) for row in moved])
        write(text, [row["positive"].replace("\n", " ") for row in rows])
        quick = ("data.train.dev=0", "train.epochs=2", "max_length=64", "module.layers=[3,6]")
        lang = {"lang": "de"}
        found = [
            Variant(self.system, "dense_retrieval", str(train), quick, lang),
            Variant(SHUFFLED, "dense_retrieval", str(turned), quick, lang),
        ]
        if place.predicts_tokens:
            found.append(Variant(LANGUAGE_MODEL, "mlm", str(text), quick, lang))
        return found

    def measure(self, place: Place, module: Path | None) -> dict[str, float]:
        """Rank the paragraphs of XQuAD and AfriQA."""
        modules = [] if module is None else [module]
        adapted = opened(place.base, modules, None, None, "float32")
        return {**xquad_measures(place, adapted), **afriqa_measures(place, adapted)}


def write(path: Path, lines: Sequence[str]) -> None:
    if not path.is_file():
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


@cache
def rows_of(path: Path) -> list[Row]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def mlqa(data: Path) -> list[Row]:
    """Questions in other languages with the English paragraph of the same question."""
    folder, english, found = data / "qa" / "mlqa", {}, []
    for row in rows_of(folder / "en_dev.jsonl.gz"):
        for asked in row["qas"]:
            answers = [answer["text"] for answer in asked["answers"]]
            english[asked["id"]] = (row["context"], answers)
    for lang in TRAINED:
        for row in rows_of(folder / f"{lang}_dev.jsonl.gz"):
            for asked in row["qas"]:
                if asked["id"] in english:
                    context, answers = english[asked["id"]]
                    query = {"query": asked["question"], "positive": context, "answers": answers}
                    found.append({**query, "row_id": asked["id"]})
    order = np.random.default_rng(0).permutation(len(found))[:ROWS]
    return [found[place] for place in order]


def xquad_measures(place: Place, adapted: AdaptedEncoder) -> dict[str, float]:
    """Measures without and with fused queries, the mean over languages."""
    folder = place.data / "qa" / "xquad"
    paragraphs = rows_of(folder / "en.jsonl.gz")[:PARAGRAPHS]
    table = place.work / "xquad.tsv"
    write(table, [f"{at}\t{' '.join(row['context'].split())}" for at, row in enumerate(paragraphs)])
    plain = np.asarray(built(place, table, adapted, "plain"))
    if not adapted.modules:
        check_zero(place, table, adapted, plain, others(paragraphs))
    english = fused_by(adapted, others(paragraphs))
    scores: dict[str, list[float]] = {}
    for lang in TESTED:
        rows = rows_of(folder / f"{lang}.jsonl.gz")[:PARAGRAPHS]
        texts = [row["qas"][0]["question"] for row in rows]
        asked = adapted.encode_query(texts, normalize_embeddings=True)
        own = fused_by(adapted, others(rows))
        moved = own[0], (own[1] + len(rows) // 2) % len(rows)
        dev = [at for at, row in enumerate(rows) if row["article"] < DEV_ARTICLES]
        test = [at for at, row in enumerate(rows) if row["article"] >= DEV_ARTICLES]
        for name, value in ranked(plain, asked, test).items():
            scores.setdefault(f"XQuAD {name}", []).append(value)
        for label, queries in (("en", english), ("own", own), ("shuffled", moved)):
            weight = chosen(plain, queries, asked, texts, dev, test)
            for name, value in ranked(mixed(plain, queries, weight), asked, test).items():
                scores.setdefault(f"XQuAD {name} + {label}", []).append(value)
            scores.setdefault(f"a of {label}", []).append(weight)
        # shuffled questions at the weight that the right ones chose
        weight = scores["a of own"][-1]
        value = ranked(mixed(plain, moved, weight), asked, test)["MRR"]
        scores.setdefault("XQuAD MRR + shuffled, a of own", []).append(value)
    return {name: float(np.mean(values)) for name, values in scores.items()}


def chosen(plain: Any, queries: Any, asked: Any, texts: list[str], dev: Any, test: Any) -> float:
    """The weight that does best on the development questions."""
    return choose_weight(
        WEIGHTS,
        lambda a: ranked(mixed(plain, queries, a), asked, dev)["MRR"],
        [texts[at] for at in dev],
        [texts[at] for at in test],
    )


def others(rows: Sequence[Row]) -> list[tuple[int, str]]:
    """Every question but the first of each paragraph, with the row of the paragraph."""
    return [(at, asked["question"]) for at, row in enumerate(rows) for asked in row["qas"][1:]]


def fused_by(adapted: AdaptedEncoder, queries: list[tuple[int, str]]) -> tuple[Any, Any]:
    """Vectors of queries, and the rows of their paragraphs."""
    vectors = adapted.encode_query([text for _, text in queries], normalize_embeddings=True)
    return vectors, np.array([at for at, _ in queries])


def mixed(plain: Any, queries: tuple[Any, Any], weight: float) -> Any:
    """Fused vectors of length 1, as an index holds them."""
    found = fuse(plain, *queries, weight)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def ranked(passages: Any, asked: Any, places: Sequence[int]) -> dict[str, float]:
    """Measures of the questions at some places, each with the passage of its own place."""
    found = np.argsort(-(asked[places] @ passages.T), axis=1, kind="stable")[:, :100]
    names = [[str(place) for place in row] for row in found]
    rankings = {str(at): row for at, row in zip(places, names, strict=True)}
    right = {str(at): {str(at): 1} for at in places}
    values = measure_rankings(rankings, right, tuple(MEASURES))
    return {MEASURES[name]: float(np.mean(list(own.values()))) for name, own in values.items()}


def built(place: Place, table: Path, adapted: AdaptedEncoder, name: str, **more: Any) -> Any:
    """The vectors of an index that is made anew."""
    import shutil

    out = place.work / name
    shutil.rmtree(out, ignore_errors=True)
    return index_passages(table, out, base=adapted, similarity="cosine", **more).vectors


def check_zero(
    place: Place, table: Path, adapted: AdaptedEncoder, plain: Any, queries: list[tuple[int, str]]
) -> None:
    """Compare an index with fused queries of weight 0 with the plain index, bit for bit."""
    file = place.work / "queries.tsv"
    write(file, [f"{at}\t{' '.join(text.split())}" for at, text in queries])
    zero = built(place, table, adapted, "zero", queries=file, query_weight=0.0)
    assert np.asarray(zero).tobytes() == plain.tobytes()


def afriqa_measures(place: Place, adapted: AdaptedEncoder) -> dict[str, float]:
    """African questions against the English passages of all of them, the mean over languages."""
    asked = list(afriqa(place.data))
    passages = list(dict.fromkeys(context for _, _, context in asked))
    vectors = adapted.encode_document(passages, normalize_embeddings=True)
    at = {context: row for row, context in enumerate(passages)}
    scores: dict[str, list[float]] = {}
    for lang in AFRICAN:
        own = [(text, at[context]) for tag, text, context in asked if tag == lang]
        queries = adapted.encode_query([text for text, _ in own], normalize_embeddings=True)
        found = np.argsort(-(queries @ vectors.T), axis=1, kind="stable")[:, :100]
        rankings = {str(n): [str(one) for one in row] for n, row in enumerate(found)}
        right = {str(n): {str(row): 1} for n, (_, row) in enumerate(own)}
        values = measure_rankings(rankings, right, tuple(MEASURES))
        for name, each in values.items():
            mean = float(np.mean(list(each.values())))
            scores.setdefault(f"AfriQA {MEASURES[name]}", []).append(mean)
    return {name: float(np.mean(values)) for name, values in scores.items()}


def afriqa(data: Path) -> Iterator[tuple[str, str, str]]:
    """Language, question and passage of the test parts."""
    for lang in AFRICAN:
        for row in rows_of(data / "qa" / "afriqa" / f"{lang}-en_test.jsonl.gz")[:AFRICAN_ROWS]:
            for asked in row["qas"]:
                yield lang, asked["question"], row["context"]


EXPERIMENT = DenseRetrieval()
