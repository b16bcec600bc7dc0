"""Heads of FILTER: texts and words are read with their translations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.pairs import tokenize_windows
from xadapt.backbones.encoder.words import tokenize_words
from xadapt.core.errors import UserError
from xadapt.core.sequences import as_strings
from xadapt.data.records import Question
from xadapt.data.transforms.translate import translated
from xadapt.data.transforms.translate_questions import translated_questions
from xadapt.evaluation.comparison import Result
from xadapt.heads.head import Head
from xadapt.inference.locate import locate
from xadapt.integrations.translators.cached import cached_translator
from xadapt.tasks.predictor import chosen_head
from xadapt.tasks.protocol import Request

PIVOT = "en"
"""The language of translations that are made at evaluation."""


def translations_of(rows: Sequence[Any]) -> list[Any]:
    """Return the translation of each record; empty where there is none."""
    return [getattr(row, "translation", "") for row in rows]


def given_translations(head: Head, translations: Any, count: int) -> list[Any] | None:
    """Check translations that a user gives.

    Raises:
        UserError: If the head reads no translations, or there is not one for each text.
    """
    if translations is None:
        return None
    if head.fused is None:
        raise UserError(
            "this head reads no translations", where="translations", todo="Leave them out"
        )
    texts = head.task == "classification"
    found = as_strings(translations) if texts else [tuple(one) for one in translations]
    if len(found) != count:
        raise UserError(f"{len(found)} translations for {count} texts", where="translations")
    return found


def partner_ids(
    encoder: Encoder,
    head: Head,
    ids: Sequence[Sequence[int]],
    owners: Sequence[int],
    translations: Sequence[str] | None = None,
) -> list[Sequence[int]] | None:
    """Return the sequence that each sequence is read with; ``None`` for a head that reads one.

    A translation that is longer than the base reads is cut.

    Args:
        encoder: The encoder.
        head: The head.
        ids: Token sequences: texts, or windows of texts.
        owners: The position of the text of each sequence.
        translations: The translation of each text; an empty one, or none at all, stands for the
            text itself.
    """
    if head.fused is None:
        return None
    return _beside(ids, owners, translations, encoder.tokenize)


def partner_words(
    encoder: Encoder,
    head: Head,
    ids: Sequence[Sequence[int]],
    owners: Sequence[int],
    translations: Sequence[Sequence[str]] | None = None,
) -> list[Sequence[int]] | None:
    """Return the partners of windows of sentences; the rest is as for `partner_ids`.

    Args:
        encoder: The encoder.
        head: The head.
        ids: Windows of sentences.
        owners: The position of the sentence of each window.
        translations: The words of each translation.
    """
    if head.fused is None:
        return None

    def tokenize(sentences: list[Any]) -> list[Sequence[int]]:
        return [words.ids for words in tokenize_words(encoder, sentences)]

    return _beside(ids, owners, translations and list(map(tuple, translations)), tokenize)


def partner_windows(
    encoder: Encoder,
    ids: Sequence[Sequence[int]],
    owners: Sequence[int],
    translations: Sequence[tuple[str, ...]] | None,
    overlap: int,
) -> list[Sequence[int]]:
    """Return the partners of windows of questions and passages, for a head with fused layers.

    A window is read with the window of the same number of the translation, or with its last one.

    Args:
        encoder: The encoder.
        ids: Windows.
        owners: The position of the question of each window, in order.
        translations: Translated question and passage of each; an empty tuple, or none at all,
            stands for the question and the passage themselves.
        overlap: Tokens of a passage that two windows share.
    """
    if translations is None or not any(translations):
        return list(ids)
    there = [i for i, said in enumerate(translations) if said]
    pairs = [translations[i] for i in there]
    windows = tokenize_windows(encoder, [p[0] for p in pairs], [p[1] for p in pairs], overlap)
    by_owner: dict[int, list[Sequence[int]]] = {}
    for window in windows:
        by_owner.setdefault(there[window.owner], []).append(window.ids)
    found, seen = [], Counter[int]()
    for own, owner in zip(ids, owners, strict=True):
        others = by_owner.get(owner)
        found.append(others[min(seen[owner], len(others) - 1)] if others else own)
        seen[owner] += 1
    return found


def _beside(
    ids: Sequence[Sequence[int]],
    owners: Sequence[int],
    translations: Sequence[Any] | None,
    tokenize: Callable[[list[Any]], Sequence[Sequence[int]]],
) -> list[Sequence[int]]:
    if translations is None or not any(translations):
        return list(ids)
    said = list(dict.fromkeys(filter(None, translations)))
    rows = dict(zip(said, tokenize(said), strict=True))
    return [
        rows[translations[owner]] if translations[owner] else own
        for own, owner in zip(ids, owners, strict=True)
    ]


def reads_translations(request: Request, task: str | None) -> bool:
    """Return whether the head of a request has fused layers."""
    assert task is not None
    _, places = locate(request.modules, request.compose)
    return chosen_head(places, task, request.head)[1].fused is not None


def with_partners(
    rows: list[Any], request: Request, fused: bool, translator: str | None
) -> list[Any]:
    """Translate records for a head with fused layers, and report how many have a translation.

    Raises:
        UserError: If a translator is named for a head that reads no translations, the language of
            the texts is not named, or the translator fails.
    """
    if translator is not None and not fused:
        raise UserError(
            "this head reads no translations", where="--translator", todo="Leave it out"
        )
    if not fused:
        return rows
    if translator is not None and request.tag != PIVOT:
        if request.tag is None:
            raise UserError(
                "a translator needs the language of the texts", where="--lang", todo="Name it"
            )
        make = translated_questions if isinstance(rows[0], Question) else translated
        rows = make(rows, cached_translator(translator).translate, (), PIVOT)
    read = count_of(rows)
    request.report(
        f"{read} of {len(rows)} {rows[0].unit if rows else 'texts'} are read with a translation"
        + ("" if read == len(rows) else ", the others with themselves")
    )
    return rows


def told(result: Result, rows: Sequence[Any]) -> Result:
    """Add the number of records with a translation to the facts of a result."""
    return replace(result, facts={**result.facts, "translated": count_of(rows)})


def count_of(rows: Sequence[Any]) -> int:
    """Count the records with a translation."""
    return sum(bool(row.translation) for row in rows)
