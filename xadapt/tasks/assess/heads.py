"""Judging task heads for texts, pairs and questions, each under a composition and another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from xadapt.core.errors import UserError
from xadapt.data.readers.labelled_text import LabelledTexts
from xadapt.data.readers.squad import Squad
from xadapt.evaluation import classification, qa
from xadapt.evaluation.comparison import Result
from xadapt.inference.shared_states import shared_cache
from xadapt.languages.tags import normalise
from xadapt.tasks.predict.answer_finder import AnswerFinder
from xadapt.tasks.predict.classifier import Classifier
from xadapt.tasks.predict.predictor import AGAINST, GIVEN, load_each


def evaluate_classification(
    *,
    base: str,
    data: str | Path,
    modules: Sequence[str | Path] = (),
    lang: str | None = None,
    compose: str | None = None,
    against: str | None = None,
    head: str | None = None,
    dtype: str = "auto",
    say: Callable[[str], None] = lambda _: None,
) -> Result:
    """Measure a task head for texts: accuracy, and the mean F1 of the classes.

    Args:
        base: Hub id, folder, ``package:NAME/SUBDIR`` or ``mini``.
        data: Texts with classes that were not trained on, a line each: text, tab, label.
        modules: Folders of modules, one of them with a head, as for `Predictor.load`.
        lang: Language of the texts, where the composition chooses by language.
        compose: Which modules act, such as ``"language + task"``; without, the one module.
        against: Another composition of the same modules, to tell the paired difference to.
        head: Which module's head it is, where several have one.
        dtype: Of the base's weights: ``auto``, ``float32``, ``bfloat16``, ``int8`` or ``nf4``.
        say: Told what the head has no class for.

    Raises:
        UserError: A file or folder is unusable, no module has such a head, or the head knows none
            of the classes.
    """
    rows = list(LabelledTexts().read(str(data), "und" if lang is None else normalise(lang)))
    texts, tags = [row.text for row in rows], _tags(lang, len(rows))

    each = load_each(
        Classifier, base, modules, compose=compose, against=against, head=head, dtype=dtype
    )
    _tell_unknown({row.label for row in rows}, each[GIVEN].head.labels, say)
    cache = shared_cache(*(one.adapted for one in each.values()))
    systems = {name: one.classify(texts, tags, cache=cache) for name, one in each.items()}
    return classification.evaluate(rows, systems, base=AGAINST if against is not None else None)


def evaluate_qa(
    *,
    base: str,
    data: str | Path,
    modules: Sequence[str | Path] = (),
    lang: str | None = None,
    compose: str | None = None,
    against: str | None = None,
    head: str | None = None,
    dtype: str = "auto",
) -> Result:
    """Measure a task head for questions over passages: F1 of words, and exact match.

    Args:
        base: As for `evaluate_classification`.
        data: Questions that were not trained on: SQuAD v1.1 JSON, or a passage a line.
        modules: As for `evaluate_classification`.
        lang: Language of the questions; it also chooses what is no part of an answer, such as
            articles. Without, the texts are taken as English there.
        compose: As for `evaluate_classification`.
        against: As for `evaluate_classification`.
        head: As for `evaluate_classification`.
        dtype: As for `evaluate_classification`.

    Raises:
        UserError: A file or folder is unusable, or no module has such a head.
    """
    rows = list(Squad().read(str(data), "en" if lang is None else normalise(lang)))
    asked, tags = [(row.question, row.passage) for row in rows], _tags(lang, len(rows))

    each = load_each(
        AnswerFinder, base, modules, compose=compose, against=against, head=head, dtype=dtype
    )
    cache = shared_cache(*(one.adapted for one in each.values()))
    found = {name: one.answer(asked, tags, cache=cache) for name, one in each.items()}
    systems = {name: [answer.text for answer in own] for name, own in found.items()}
    return qa.evaluate(rows, systems, base=AGAINST if against is not None else None)


def _tags(lang: str | None, count: int) -> list[str] | None:
    return None if lang is None else [normalise(lang)] * count


def _tell_unknown(there: set[str], known: Sequence[str], say: Callable[[str], None]) -> None:
    missing = sorted(there - set(known))
    if missing and len(missing) == len(there):
        raise UserError(
            f"the head knows none of the data's classes ({', '.join(missing[:6])})",
            todo=f"It gives {', '.join(known[:12])}",
        )
    if missing:
        say(f"the head has no class {', '.join(missing)}: such texts count as wrong")
