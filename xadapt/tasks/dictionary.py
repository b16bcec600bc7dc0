"""Word translation: find the translation of a word among the words of the other language.

Words are compared by the cosines of their vectors at the table of word embeddings, before positions
and norm, as in training by the objective `align_mlm`; once as they are, and once centred, where
each side's mean over its words is subtracted. The pivot's vectors are those of the frozen base, the
language's are the module's. Precision at 1 over all distinct words of the language: the nearest
word of the pivot language is one of the word's translations. The pool holds the pivot words of the
whole dictionary, also those of entries that are not asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from rich.table import Table
from torch import nn

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encode import chunks
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.words import tokenize_words
from xadapt.core.errors import UserError
from xadapt.data.readers.dictionary import Dictionary
from xadapt.data.readers.in_memory import InMemory
from xadapt.data.records import WordPair
from xadapt.data.transforms.dictionary_part import dictionary_part
from xadapt.evaluation.comparison import Result, compare, mean
from xadapt.evaluation.systems import Encoded, Side, System, similarities
from xadapt.heads.head import Head
from xadapt.hub.manifest import Evidence
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.injection.word_embeddings import word_embeddings
from xadapt.modules.hooks import BELOW
from xadapt.tasks.alignment import (
    BASE,
    LANGUAGE,
    SHORT,
    language_of,
    open_composed,
    open_module_and_control,
    require_module,
)
from xadapt.tasks.protocol import RESAMPLES, Option, Request, Task, read_rows
from xadapt.tasks.table import interval_cell, mark, new_table
from xadapt.training.loop import Trainer
from xadapt.vectors.matching import Cosine, Similarity, cosine, top

BASELINE = "baseline"
MEASURES = {"P@1": 1, "P@5": 5, "P@1 centred": 1}
CENTRED = "P@1 centred"


class WordTranslation(Task):
    """Look up the words of a language among the words of the pivot language."""

    name: ClassVar[str] = "dictionary"
    title: ClassVar[str] = "Word translation by the table of word embeddings: P@1 and P@5."
    record: ClassVar[type] = WordPair
    metrics: ClassVar[tuple[str, ...]] = tuple(MEASURES)
    task_type: ClassVar[str] = "feature-extraction"
    shared: ClassVar[tuple[str, ...]] = ("module", "compose", "baseline", "controls")
    data_help: ClassVar[str] = "Dictionary: English word, tab, translation."
    lang_help: ClassVar[str] = "Language of the translations; known from the module."
    short: ClassVar[Mapping[str, str]] = SHORT

    def evaluate(
        self,
        rows: Sequence[WordPair],
        systems: Mapping[str, System],
        *,
        base: Any = None,
        resamples: int = RESAMPLES,
        seed: int = 0,
        control: bool = True,
        pool: Sequence[str] = (),
    ) -> Result:
        """Look up every distinct word of the language.

        Args:
            rows: Entries whose words are asked for.
            systems: The systems by their names in the table.
            base: The system the others are compared with.
            resamples: Number of bootstrap samples over words.
            seed: Seed of the bootstrap.
            control: Whether TF-IDF over characters is added.
            pool: Further words of the pivot language, among which the right ones must be found.

        Raises:
            UserError: If there are no entries, or a system gives NaN or the wrong shape.
        """
        if not rows:
            raise UserError("there are no entries to evaluate on", todo="Give at least one")
        words = sorted({row.word for row in rows})
        pivots = sorted({*(row.pivot for row in rows), *pool})
        gold = _gold(rows, words, pivots)
        encoded = Encoded(words, pivots)
        scores = similarities(encoded, systems, control=control)
        columns: dict[str, dict[str, list[NDArray[np.float64]]]] = {}
        for name, similarity in scores.items():
            other = _centred(encoded, systems[name]) if name in systems else similarity
            columns[name] = {
                measure: [
                    _hits(other if measure == CENTRED else similarity, gold, min(k, len(pivots)))
                ]
                for measure, k in MEASURES.items()
            }
        facts = {"lang": _one(rows, "lang"), "pivot_lang": _one(rows, "pivot_lang")}
        result = compare(
            self.name,
            "words",
            columns,
            dict.fromkeys(MEASURES, mean),
            facts={**facts, "pool": len(pivots)},
            base=base if isinstance(base, Mapping) or base in columns else None,
            resamples=resamples,
            seed=seed,
        )
        made = [
            replace(row, more={"random_cosine": _random(encoded, systems.get(row.system))})
            for row in result.rows
        ]
        return replace(result, rows=tuple(made))

    def oracle(self, rows: Sequence[WordPair]) -> System:
        """Return equal vectors for words that are translations of each other."""
        number: dict[str, int] = {}
        for row in rows:
            number.setdefault(row.pivot, len(number))
        ours = {row.word: number[row.pivot] for row in rows}
        table = np.eye(len(number), dtype=np.float32)
        return System(
            lambda words: table[[ours[word] for word in words]],
            lambda pivots: table[[number[pivot] for pivot in pivots]],
        )

    def chance(self, rows: Sequence[WordPair], seed: int = 0) -> System:
        """Return a random vector for each word."""
        texts = sorted({text for row in rows for text in (row.word, row.pivot)})
        vectors = np.random.default_rng(seed).normal(size=(len(texts), 32)).astype(np.float32)
        place = {text: i for i, text in enumerate(texts)}
        return System(lambda given: vectors[[place[text] for text in given]])

    def measure(
        self,
        request: Request,
        *,
        part: Annotated[
            str,
            Option(
                "Entries that are asked for, as the transform dictionary_part chooses them.",
                choices=("held_out", "train", "all"),
            ),
        ] = "held_out",
        held_out: Annotated[float, Option("Share that is held out, as in the recipe.")] = 0.2,
        pivot: Annotated[str, Option("Language of the other side.")] = "en",
    ) -> Result:
        """Measure a base, and modules on it, on a dictionary."""
        if not 0 <= held_out < 1:
            raise UserError("held_out is a share from 0 to below 1", where="--held-out")
        tag = language_of(request.lang, request.modules)
        require_module(request)
        entries = self._read(request.data, tag, pivot)
        rows = dictionary_part(entries, part, held_out)  # type: ignore[arg-type]
        if not rows:
            raise UserError(
                f"no entry of the dictionary is in the part {part}",
                where=str(request.data),
                todo="Give a longer dictionary, or --part all",
            )
        encoder = Encoder.from_pretrained(request.base, dtype=request.dtype)
        module, _ = open_module_and_control(replace(request, controls=False), encoder, tag)
        systems = {BASE: System(word_side(encoder))}
        base = BASE
        if request.baseline is not None:
            other = open_composed(request.modules, request.baseline, encoder, tag)
            systems[BASELINE] = System(word_side(encoder, other), systems[BASE].language)
            base = BASELINE
        if module is not None:
            systems[LANGUAGE] = System(word_side(encoder, module), systems[BASE].language)
        pool = [entry.pivot for entry in entries]
        return self.evaluate(rows, systems, base=base, control=request.controls, pool=pool)

    def _read(self, data: str | InMemory, tag: str, pivot: str) -> list[WordPair]:
        if isinstance(data, InMemory):
            return list(read_rows("dictionary", data, tag, pivot))
        return list(Dictionary(pivot=pivot).read(data, tag))

    def scores(
        self, trainer: Trainer, dev: Sequence[WordPair], cache: Kept | None = None
    ) -> dict[str, float]:
        """Compute P@1 and P@5; ``score`` is P@1."""
        bare = word_side(trainer.encoder)
        own = System(word_side(trainer.encoder, trainer.active_module.module), bare)
        row = self.evaluate(dev, {LANGUAGE: own}, control=False, resamples=1)[LANGUAGE]
        found = {name: score.mean for name, score in row.scores.items()}
        return {"score": found["P@1"], **found}

    def evidence(
        self,
        encoder: Encoder,
        module: nn.Module,
        dev: Sequence[WordPair],
        head: Head | None = None,
        cache: Kept | None = None,
    ) -> list[Evidence]:
        """Measure both measures, with base and TF-IDF."""
        bare = word_side(encoder)
        systems = {BASE: System(bare), LANGUAGE: System(word_side(encoder, module), bare)}
        result = self.evaluate(dev, systems, base=BASE)
        return self.to_evidence(result, LANGUAGE, BASE, sides="language")

    def table(self, result: Result) -> Table:
        """Render both measures with intervals, and the cosine of random words."""
        facts = result.facts
        title = f"{facts['lang']}: {result.count} words, looked up among {facts['pool']}"
        table = new_table(title, ("", "P@1 [95 %]", "centred [95 %]", "P@5", "random"))
        for row in result.rows:
            cosine = row.more["random_cosine"]
            table.add_row(
                self.short.get(row.system, row.system),
                *(interval_cell(row.scores[m]) + mark(row.gains.get(m)) for m in ("P@1", CENTRED)),
                f"{row.scores['P@5'].mean:.3f}",
                "" if cosine is None else f"{cosine:.2f}",
            )
        table.caption = (
            "centred: P@1 of vectors without each side's mean\n"
            "random: mean cosine of two random words; near 1, all are alike"
        )
        return table


def word_side(encoder: Encoder, module: nn.Module | None = None, layer: int = BELOW) -> Side:
    """Return the function from words to mean vectors of their pieces, ``(n, width)``.

    Args:
        encoder: The frozen encoder.
        module: What acts on the words; by default the bare base.
        layer: -1 for the table of word embeddings, or the number of layers before the states.
    """
    adapter = None if module is None else ActiveAdapter(encoder, module.to(encoder.device))
    special = set(encoder.tokenizer.all_special_ids)

    def side(words: Sequence[str]) -> NDArray[np.float32]:
        rows = [list(row.ids) for row in tokenize_words(encoder, [w.split() for w in words])]
        out = np.zeros((len(rows), encoder.width), dtype=np.float32)
        acts = None if adapter is None else Activation.of(adapter)
        with torch.inference_mode():
            for chunk in chunks([len(row) for row in rows], 4096):
                tokens, mask = encoder.batch([rows[i] for i in chunk])
                if layer == BELOW:
                    states = word_embeddings(encoder, tokens, mask, acts)
                else:
                    hidden = encoder.embed(tokens, mask, activation=acts)
                    states = encoder.run(hidden, mask, 0, layer, activation=acts)
                keep = mask.clone()
                for token in special:
                    keep[tokens == token] = 0
                keep = keep.where(keep.any(1, keepdim=True), mask).unsqueeze(-1)
                mean_ = (states.float() * keep).sum(1) / keep.sum(1)
                out[chunk] = mean_.cpu().numpy()
        return out

    return side


def _gold(rows: Sequence[WordPair], words: Sequence[str], pivots: Sequence[str]) -> list[set[int]]:
    """Return the places of each word's translations in the pool."""
    place = {pivot: at for at, pivot in enumerate(pivots)}
    found: dict[str, set[int]] = {word: set() for word in words}
    for row in rows:
        found[row.word].add(place[row.pivot])
    return list(found.values())


def _hits(similarity: Similarity, gold: Sequence[set[int]], k: int) -> NDArray[np.float64]:
    """Return 1 for each word with a translation among its ``k`` nearest, else 0."""
    found = np.asarray(top(similarity, k).indices)
    pairs = zip(found, gold, strict=True)
    return np.array([float(any(at in own for at in line)) for line, own in pairs])


def _centred(encoded: Encoded, system: System) -> Cosine:
    """Return the cosines of vectors whose side's mean is zero."""
    ours, theirs = encoded.language(system), encoded.pivot(system)
    return cosine(ours - ours.mean(0), theirs - theirs.mean(0))


def _random(encoded: Encoded, system: System | None) -> float | None:
    """Compute the mean cosine of random pairs of the language's words; 1 means they collapsed."""
    if system is None:
        return None
    vectors = encoded.language(system)
    order = np.random.default_rng(0).permutation(len(vectors))
    norms = np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-12)
    unit = (vectors / norms)[order]
    return float((unit * np.roll(unit, 1, 0)).sum(1).mean()) if len(unit) > 1 else 0.0


def _one(rows: Sequence[WordPair], field: str) -> str:
    tags = {getattr(row, field) for row in rows}
    return tags.pop() if len(tags) == 1 else "mul"


Part = WordTranslation()
