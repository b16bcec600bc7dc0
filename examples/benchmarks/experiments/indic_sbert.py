"""IndicSBERT's two stages: inference triples of pooled languages, then scores of pairs.

No pair has two languages. What is measured is between languages: scored pairs with one side
translated, translations found, and topics by the nearest paragraph of another language.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from experiments.contract import LANGUAGE_MODEL, MINI, SHUFFLED, Experiment, Place, Variant
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.passage_index import opened

LANGS, UNSEEN = ("de", "en", "fr"), "es"
NLI_ROWS, STS_ROWS, TEST = 450, 160, 200
TRIPLES, SCORES, BOTH = "NLI", "STS", "NLI + STS"


class IndicSbert(Experiment):
    """German, English and French in one pool; Spanish is never trained on."""

    system, against, main = BOTH, LANGUAGE_MODEL, "STS de-en"
    bases = (MINI,)
    about = (
        f"{NLI_ROWS:,} rows of XNLI's development part and {STS_ROWS} of STSb a language (German, "
        "English, French; the XNLI rows are non-commercial, so these modules are for measuring "
        f"only), pooled. Spearman on {TEST} pairs of STSb's development part, with one side in "
        "another language; accuracy of finding the translation among them; and the article of a "
        "German paragraph of XQuAD by its nearest English one other than its translation."
    )

    def variants(self, place: Place) -> Sequence[Variant]:
        """Each stage alone, both, English alone, and the controls."""
        nli = {lang: nli_file(place, lang) for lang in LANGS}
        sts = {lang: sts_file(place, lang) for lang in LANGS}
        quick = ("data.train.dev=0", "max_length=48", "module.layers=[3,6]")
        joint = {"joint": True}
        begun = f"module.init={place.work / TRIPLES}-{{seed}}"
        text = place.work / "text.txt"
        lines = [line.split("\t")[0] for path in nli.values() for line in read(path)]
        write(text, list(dict.fromkeys(lines)))
        begin = ("data.train.dev=0", "max_length=48", "train.epochs=1")
        short = (*quick, "train.epochs=1")
        mixed = {lang: shuffled_file(place, lang, path) for lang, path in nli.items()}
        return [
            Variant(TRIPLES, "indic_sbert_nli", nli, short, joint),
            Variant(BOTH, "indic_sbert_sts", sts, (*begin, begun), joint),
            Variant(SCORES, "indic_sbert_sts", sts, short, joint),
            Variant("NLI, English alone", "indic_sbert_nli", {"en": nli["en"]}, short),
            Variant(SHUFFLED, "indic_sbert_nli", mixed, short, joint),
            Variant(LANGUAGE_MODEL, "mlm", str(text), short, {"lang": "de"}),
        ]

    def measure(self, place: Place, module: Path | None) -> dict[str, float]:
        """Cross-lingual likeness, translations, and topics."""
        modules = [] if module is None else [module]
        adapted = opened(place.base, modules, None, None, "float32")
        rows = {lang: sts_rows(place.data, lang, "dev") for lang in (*LANGS, UNSEEN)}
        kept = sorted(set.intersection(*(set(own) for own in rows.values())))[:TEST]
        sides = {lang: vectors(adapted, [rows[lang][at] for at in kept]) for lang in rows}
        gold = [float(rows["en"][at][2]) for at in kept]
        found = {"STS de": likeness(sides["de"][0], sides["de"][1], gold)}
        for one in ("de", UNSEEN):
            both = (sides[one][0], sides["en"][1]), (sides["en"][0], sides[one][1])
            found[f"STS {one}-en"] = float(np.mean([likeness(*pair, gold) for pair in both]))
            found[f"{one} to en"] = translated(sides[one][0], sides["en"][0], rows, kept, one)
        found["topic de-en"] = topics(place.data, adapted)
        return found


def write(path: Path, lines: Sequence[str]) -> Path:
    if not path.is_file():
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def read(path: Path | str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines()


def unpacked(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return stream.read().splitlines()


def nli_file(place: Place, lang: str) -> str:
    """The same rows of XNLI in each language."""
    rows = unpacked(place.data / "nli" / "nc" / "xnli" / f"{lang}_dev.tsv.gz")[:NLI_ROWS]
    return str(write(place.work / f"nli_{lang}.tsv", rows))


def shuffled_file(place: Place, lang: str, path: str) -> str:
    """The same premises with the hypotheses of others."""
    rows = [line.split("\t") for line in read(path)]
    half = len(rows) // 2
    moved = [
        "\t".join((row[0], rows[(at + half) % len(rows)][1], row[2])) for at, row in enumerate(rows)
    ]
    return str(write(place.work / f"shuffled_{lang}.tsv", moved))


def sts_rows(data: Path, lang: str, part: str) -> dict[int, tuple[str, str, str]]:
    """Sentences and score by the number of the row."""
    found = {}
    for line in unpacked(data / "sts" / f"{lang}_{part}.tsv.gz"):
        number, left, right, score = line.split("\t")
        found[int(number)] = (left, right, score)
    return found


def sts_file(place: Place, lang: str) -> str:
    """Rows of the training part without a sentence of the measured rows in that language."""
    rows = sts_rows(place.data, lang, "train")
    held = {text for row in sts_rows(place.data, lang, "dev").values() for text in row[:2]}
    kept = [
        f"{at}\t" + "\t".join(row) for at, row in sorted(rows.items()) if not held & set(row[:2])
    ]
    step = max(1, len(kept) // STS_ROWS)
    return str(write(place.work / f"sts_{lang}.tsv", kept[::step][:STS_ROWS]))


def vectors(adapted: AdaptedEncoder, rows: Sequence[Any]) -> tuple[Any, Any]:
    """Vectors of length 1 of both sides."""
    return tuple(
        adapted.encode([row[side] for row in rows], normalize_embeddings=True) for side in (0, 1)
    )


def likeness(left: Any, right: Any, gold: Sequence[float]) -> float:
    """Spearman of the cosines."""
    return float(spearmanr((left * right).sum(1), gold).statistic)


def translated(left: Any, right: Any, rows: Any, kept: Sequence[int], lang: str) -> float:
    """How often the nearest English sentence is the translation; a sentence twice counts once."""
    once = list({rows["en"][at][0]: n for n, at in enumerate(kept)}.values())
    found = (left[once] @ right[once].T).argmax(1)
    return float((found == np.arange(len(once))).mean())


def topics(data: Path, adapted: AdaptedEncoder) -> float:
    """How often the nearest English paragraph but the translation is of the same article."""
    rows = {
        lang: [json.loads(line) for line in unpacked(data / "qa" / "xquad" / f"{lang}.jsonl.gz")]
        for lang in ("de", "en")
    }
    rows = {lang: own[:80] for lang, own in rows.items()}
    german, english = (
        adapted.encode([row["context"] for row in rows[lang]], normalize_embeddings=True)
        for lang in ("de", "en")
    )
    scores = german @ english.T
    np.fill_diagonal(scores, -np.inf)
    articles = np.array([row["article"] for row in rows["en"]])
    several = np.array([(articles == one).sum() > 1 for one in articles])
    return float((articles[scores.argmax(1)] == articles)[several].mean())


EXPERIMENT = IndicSbert()
