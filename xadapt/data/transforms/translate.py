"""Translate texts that have no translation, by the translator that the user names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from xadapt.core.errors import UserError
from xadapt.data.records import TranslatedText
from xadapt.data.transforms.protocol import Applies, Services

Translate = Callable[[Sequence[str], str, str], Sequence[str]]


@dataclass(frozen=True)
class TranslateTexts:
    """Give each text without a translation one; translations that are there stay.

    Texts in the pivot language are translated into each language of ``into``, and there is a record
    for each. Texts in other languages are translated into the pivot language. Without a translator,
    texts without a translation stay so, and are counted.

    Source: translate-train, Conneau et al. 2018, "XNLI", https://arxiv.org/abs/1809.05053.

    Attributes:
        into: Languages into which texts in the pivot language are translated, such as ``de``.
    """

    into: tuple[str, ...] = ()

    consumes: ClassVar[type] = TranslatedText
    gives: ClassVar[type] = TranslatedText
    needs: ClassVar[tuple[str, ...]] = ()
    uses: ClassVar[tuple[str, ...]] = ("translate",)
    applies: ClassVar[Applies] = "all"

    def apply(self, records: Sequence[Any], services: Services) -> list[Any]:
        """Return the records with translations; the log has their number.

        Raises:
            UserError: If no language is named to translate into, or as for the translator.
        """
        bare = sum(not record.translation for record in records)
        translate = services.callables.get("translate")
        if not bare or translate is None:
            said = f"{bare} of {len(records)} texts have no translation"
            services.log(f"{said}: each is paired with itself" if bare else "no text is translated")
            return list(records)
        made = translated(records, translate, self.into, services.pivot_lang)
        services.log(f"{bare} of {len(records)} texts translated: {len(made)} pairs")
        return made


def translated(
    records: Sequence[Any], translate: Translate, into: Sequence[str], pivot: str
) -> list[Any]:
    """Translate the records without a translation.

    Args:
        records: Records with ``text`` or ``words``, ``translation`` and ``lang``.
        translate: The translator.
        into: Languages into which records in the pivot language are translated.
        pivot: The pivot language; records in other languages are translated into it.

    Returns:
        The records in their order; one for each language of a record in the pivot language.

    Raises:
        UserError: If no language is named to translate a record into, or the translator fails.
    """
    wanted: dict[tuple[str, str], list[str]] = {}
    targets: list[tuple[str, ...]] = []
    for record in records:
        own = () if record.translation else _targets(record, into, pivot)
        targets.append(own)
        for target in own:
            wanted.setdefault((record.lang, target), []).append(_text(record))
    found: dict[tuple[str, str, str], str] = {}
    for (source, target), texts in wanted.items():
        distinct = list(dict.fromkeys(texts))
        for text, said in zip(distinct, translate(distinct, source, target), strict=True):
            found[source, target, text] = said.strip()
    made: list[Any] = []
    for record, own in zip(records, targets, strict=True):
        made += [record] if not own else []
        made += [
            _with_translation(record, found[record.lang, target, _text(record)]) for target in own
        ]
    return made


def _text(record: Any) -> str:
    """Return the text of a record; words are joined by spaces."""
    return record.text if hasattr(record, "text") else " ".join(record.words)


def _with_translation(record: Any, said: str) -> Any:
    words = isinstance(record.translation, tuple)
    return replace(record, translation=tuple(said.split()) if words else said)


def _targets(record: Any, into: Sequence[str], pivot: str) -> tuple[str, ...]:
    if record.lang != pivot:
        return (pivot,)
    own = tuple(lang for lang in into if lang != pivot)
    if not own:
        raise UserError(
            f"no language is named into which texts in {pivot} are translated",
            where=record.origin,
            todo="Name it: --set 'data.train.transforms.0.into=[de]'",
        )
    return own


Part = TranslateTexts
