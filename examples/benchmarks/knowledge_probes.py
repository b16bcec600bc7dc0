"""Texts fed by knowledge modules: relations, named entities, masked entities, and what is kept.

    python examples/benchmarks/knowledge_probes.py --data DATA --base mini --seeds 3

EP, TP and TS modules are trained apart, then fused, as in `knowledge_modules.py`. No task module is
trained: a linear map reads the frozen states, once of the base and once with each module. Relations
are read from the states of both marked entities of English sentences (KBP37), and found in English,
German, Spanish, French and Turkish ones (RELX). Named entities and parts of speech are read from
the states of words (`xadapt evaluate tagging_probe`), masked entities are predicted by the base's
own head, and the likeness of sentences (STS) is that of vectors; these four in English.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import entity_switching
import numpy as np
import torch
from bench import parser, save
from entity_switching import lines, services
from knowledge_modules import LANGS, MARKED, SYSTEMS, composition, knowledge, table, write_files
from objectives import gain
from sklearn.metrics import f1_score

import xadapt
from xadapt.backbones.encoder.encode import token_states
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.text_places import tokenize_places
from xadapt.core.files import read_json, write_json
from xadapt.core.registry import load
from xadapt.data.records import PlainText
from xadapt.data.transforms.link_entities import LinkEntities
from xadapt.functional.linear_probe import LinearProbe
from xadapt.tasks.alignment import open_composed
from xadapt.tasks.masked_entity import TOKENS, MaskedEntity
from xadapt.tasks.masked_entity import predict as predict_masked
from xadapt.tasks.tagging_probe import TaggingProbe, by_word
from xadapt.tasks.tagging_probe import predict as predict_tags
from xadapt.training.active_module import ActiveModule

FROZEN = SYSTEMS[0]
RELATIONS, HELD, TAGGED, NAMED, MASKED = 3000, 600, 600, 900, 400
"""Rows: KBP37, those of them that choose the ridge, tagged, with named entities, masked."""
RIDGES = (1e-3, 1e-2, 1e-1, 1.0)
NONE = "no_relation"
MAIN = ("RELX, mean F1", "NER en, F1", "masked entities en", "tags en", "STS en")


@dataclass(frozen=True)
class Sentence:
    """A sentence with both entities of a relation, as characters, the first one first."""

    text: str
    spans: tuple[tuple[int, int], tuple[int, int]]
    label: str


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--base", default="mini")
    options.add_argument("--seeds", type=int, default=3)
    args = options.parse_args()
    work = args.work / "knowledge_probes"
    work.mkdir(parents=True, exist_ok=True)
    files = write_files(args.data, work)
    data = read_data(args.data)
    encoder = Encoder.from_pretrained(args.base)
    scores: dict[str, list[dict[str, float]]] = {}
    seconds: dict[str, float] = {}
    for seed in range(args.seeds):
        modules = knowledge(args, work, files, seed, seconds)
        for name in SYSTEMS:
            if name == FROZEN and seed:
                continue
            kept = work / f"scores-{name.replace(' ', '-')}-{seed}.json"
            if not kept.exists():
                below = None if name == FROZEN else composition(modules, name)
                found = measure(encoder, data, below)
                found["STS en"] = likeness(args.base, files["sts"], below)
                write_json(kept, found)
            found = read_json(kept)
            print(seed, name, {k: round(v, 4) for k, v in found.items()}, flush=True)
            scores.setdefault(name, []).append(found)
        put(args, scores, data, seconds, seed + 1)


def put(args: Any, scores: dict, data: dict[str, Any], seconds: dict, seeds: int) -> None:
    """Keep what is known so far, with gains over the frozen base by seed."""
    gains = {
        measure: {
            name: gain(*([one[measure] for one in scores[system]] for system in (name, FROZEN)))
            for name in scores
            if name != FROZEN
        }
        for measure in MAIN
    }
    rows = {name: len(own) for name, own in data.items()}
    save("knowledge_probes", {
        "base": args.base, "seeds": seeds, "rows": rows, "scores": scores, "gains": gains,
        "seconds": seconds, "floors": floors(data),
    })  # fmt: skip


def read_data(data: Path) -> dict[str, Any]:
    """The sentences of all measures, chosen by hash."""
    train = relations(data / "re" / "kbp37" / "en_train.tsv.gz")
    found: dict[str, Any] = {"kbp37": chosen(train, RELATIONS)}
    found |= {f"relx {lang}": relations(data / "re" / "relx" / f"{lang}.tsv.gz") for lang in LANGS}
    found["tags"] = chosen(tagged(data / "pos" / "en_ewt_dev.conllu.gz", "conllu"), TAGGED)
    found["named"] = chosen(tagged(data / "ner" / "uner_en_ewt_dev.tsv.gz", "conll"), NAMED)
    names = entity_switching.names(data)
    texts = [PlainText(text, "en") for text in itertools.islice(lines(data, "en"), 10_000)]
    linked = LinkEntities(names="").apply(texts, services("en", names))
    found["masked"] = chosen([row for row in linked if row.mentions], MASKED)
    return found


def chosen(rows: Sequence[Any], size: int) -> list[Any]:
    """Some rows by hash."""
    return sorted(rows, key=lambda row: hashlib.sha256(repr(row).encode()).hexdigest())[:size]


def tagged(path: Path, reader: str) -> list[Any]:
    """The tagged sentences of a packed file."""
    return list(load("readers", reader)().read(str(path), "en"))


def relations(path: Path) -> list[Sentence]:
    """The sentences of a table of relations; one without both entities is left out."""
    found = (marked(row[-2], row[-1]) for row in table(path))
    return [one for one in found if one is not None]


def marked(text: str, label: str) -> Sentence | None:
    """A sentence without its marks."""
    plain, done = "", 0
    spans: dict[str, tuple[int, int]] = {}
    for mark in MARKED.finditer(text):
        plain += text[done : mark.start()]
        spans[mark[1]] = (len(plain), len(plain) + len(mark[2]))
        plain += mark[2]
        done = mark.end()
    if set(spans) != {"1", "2"} or any(start == stop for start, stop in spans.values()):
        return None
    return Sentence(plain + text[done:], (spans["1"], spans["2"]), label)


@torch.inference_mode()
def features(encoder: Encoder, rows: Sequence[Sentence], active: ActiveModule | None) -> np.ndarray:
    """The mean states of both entities and their product, ``(n, 3 width)``; zeros where cut."""
    texts = tokenize_places(encoder, [row.text for row in rows])
    acts = None if active is None else active.rows(["en"] * len(rows))
    found = np.zeros((len(rows), 3, encoder.width), np.float32)
    for chunk, states in token_states(encoder, [list(text.ids) for text in texts], rows=acts):
        for place, own in zip(chunk, states.float().cpu(), strict=True):
            for side, span in enumerate(rows[place].spans):
                tokens = texts[place].find(*span)
                if tokens:
                    found[place, side] = own[tokens].mean(0).numpy()
    found[:, 2] = found[:, 0] * found[:, 1]
    return found.reshape(len(rows), -1)


def macro_f1(gold: Sequence[str], given: Sequence[str]) -> float:
    """Macro F1 over the relations that occur; no relation is none of them."""
    labels = sorted(set(gold) - {NONE})
    return float(f1_score(gold, given, average="macro", labels=labels, zero_division=0))


def measure(encoder: Encoder, data: dict[str, Any], below: str | None) -> dict[str, float]:
    """The scores of the base, or of a composition of modules on it."""
    module = None if below is None else open_composed([], below, encoder, "en")
    active = None if module is None else ActiveModule(encoder, module)
    found: dict[str, float] = {}
    train = data["kbp37"]
    states, labels = features(encoder, train, active), [row.label for row in train]
    fitted = [
        (macro_f1(labels[:HELD], LinearProbe.fit(states[HELD:], labels[HELD:], r)
                  .predict(states[:HELD])), r) for r in RIDGES
    ]  # fmt: skip
    probe = LinearProbe.fit(states, labels, max(fitted)[1])
    found["KBP37, held out"] = max(fitted)[0]
    right = []
    for lang in LANGS:
        rows = data[f"relx {lang}"]
        gold, given = [r.label for r in rows], probe.predict(features(encoder, rows, active))
        found[f"RELX {lang}, F1"] = macro_f1(gold, given)
        right.append(np.mean([a == b for a, b in zip(gold, given, strict=True)]))
    found["RELX, mean F1"] = float(np.mean([found[f"RELX {lang}, F1"] for lang in LANGS]))
    found["RELX, mean accuracy"] = float(np.mean(right))
    for key, name, scheme in (("NER en, F1", "named", "bio"), ("tags en", "tags", "word")):
        labels_of = predict_tags(encoder, data[name], module, scheme)
        result = TaggingProbe().evaluate(data[name], {"it": labels_of}, resamples=1, scheme=scheme)
        found[key] = result["it"].scores[result.measures[0]].mean
    masked = {"it": predict_masked(encoder, data["masked"], module)}
    result = MaskedEntity().evaluate(data["masked"], masked, resamples=1)
    found["masked entities en"] = result["it"].scores[TOKENS].mean
    return found


def likeness(base: str, pairs: Path, below: str | None) -> float:
    """Spearman's correlation on English pairs."""
    result = xadapt.evaluate("sts", base=base, data=str(pairs), lang="en", compose=below)
    row = result["module" if below else result.rows[0].system]
    return row.scores["spearman"].mean


def floors(data: dict[str, Any]) -> dict[str, float]:
    """What needs no states: the most frequent relation, and each word's most frequent label."""
    [(most, _)] = Counter(row.label for row in data["kbp37"]).most_common(1)
    right = [np.mean([row.label == most for row in data[f"relx {lang}"]]) for lang in LANGS]
    found = {"RELX, mean accuracy": float(np.mean(right))}
    for key, name, scheme in (("NER en, F1", "named", "bio"), ("tags en", "tags", "word")):
        given = {"it": by_word(data[name], scheme)}
        result = TaggingProbe().evaluate(data[name], given, resamples=1, scheme=scheme)
        found[key] = result["it"].scores[result.measures[0]].mean
    return found


if __name__ == "__main__":
    main()
