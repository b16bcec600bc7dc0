"""Refuse a source with texts of the wrong kind or the wrong script.

A reader guesses the column of each side, and the name of a file does not show its language. So the
first records of a source are checked for three faults. A side contains numbers instead of text. A
side is in a script that its language does not use. Plain text is a table or a list of words. It is
noted if both sides of parallel text seem to be in one language.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from xadapt.core.errors import UserError
from xadapt.data.records import (
    LabelledPair,
    LabelledText,
    MultiLabelText,
    OpenTriples,
    ParallelPair,
    PlainText,
    RatedText,
    Record,
    ScoredPair,
    TaggedSentence,
    TextPair,
)
from xadapt.data.transforms.scripts import expected, main_script, script_share
from xadapt.data.transforms.side_likeness import ONE_LANGUAGE, likeness

R = TypeVar("R", bound=Record)
Note = Callable[[str, str], None]

SAMPLE = 500
"""The number of checked records per source."""
FEW = 10
"""With fewer records no source is refused."""
SIDES: dict[type, tuple[tuple[str, str], ...]] = {
    ParallelPair: (("pivot", "pivot_lang"), ("text", "lang")),
    PlainText: (("text", "lang"),),
    LabelledText: (("text", "lang"),),
    RatedText: (("text", "lang"),),
    MultiLabelText: (("text", "lang"),),
    LabelledPair: (("text", "lang"),),
    ScoredPair: (("left", "left_lang"), ("right", "right_lang")),
    TextPair: (("anchor", "lang"), ("positive", "lang")),
    TaggedSentence: (("words", "lang"),),
    OpenTriples: (("words", "lang"),),
}
"""The texts of a record, each with the field that names its language.

Questions and the second texts of labelled pairs are not included, since a passage and its question,
or two entities, may be in different languages.
"""
UNSPACED = {"Hani", "Hira", "Kana", "Thai", "Laoo", "Khmr", "Mymr", "Tibt"}
"""Scripts without a space between words."""
MOST = 0.9


def checked(records: Iterable[R], source: str, note: Note) -> Iterator[R]:
    """Stream records and check the first records.

    Args:
        records: Records of one source and one type.
        source: Name of the source in errors.
        note: Called with the source and a sentence for each unusual finding that is not refused.

    Raises:
        UserError: If most texts of a side are numbers, most texts of a side are in a script that
            its language does not use, or plain text is a table or a list of words.
    """
    sample: list[R] = []
    judged = False
    for record in records:
        if not judged:
            sample.append(record)
            if len(sample) == SAMPLE:
                _judge(sample, source, note)
                judged, sample = True, []
        yield record
    if not judged:
        _judge(sample, source, note)


def _judge(sample: list[R], source: str, note: Note) -> None:
    if len(sample) < FEW or type(sample[0]) not in SIDES:
        return
    sides = [
        (lang, [_text(record, field) for record in sample if getattr(record, of) == lang])
        for field, of in SIDES[type(sample[0])]
        for lang in [getattr(sample[0], of)]
    ]
    for lang, texts in sides:
        _refuse_numbers(lang, texts, source)
    _refuse_scripts(sides, source)
    single = all(_share(_is_word, texts) > MOST for _, texts in sides)
    if isinstance(sample[0], PlainText):
        _refuse_lists(sides[0][1], single, source)
    elif single and isinstance(sample[0], ParallelPair):
        note(source, "nearly every side is one word: fine for names, too little for sentences")
    elif isinstance(sample[0], ParallelPair):
        _note_one_language(sides, source, note)


def _note_one_language(sides: list[tuple[str, list[str]]], source: str, note: Note) -> None:
    (one, left), (other, right) = sides
    if one.split("-")[0] != other.split("-")[0] and likeness(left, right) >= ONE_LANGUAGE:
        note(
            source,
            f"both sides seem to be in one language: check which texts are {one} and {other}",
        )


def _text(record: Record, field: str) -> str:
    value = getattr(record, field)
    return value if isinstance(value, str) else " ".join(value)


def _share(test: Callable[[str], bool], texts: list[str]) -> float:
    return sum(map(test, texts)) / len(texts) if texts else 0.0


def _is_number(text: str) -> bool:
    return any(map(str.isdigit, text)) and not any(map(str.isalpha, text))


def _is_word(text: str) -> bool:
    return len(text.split()) == 1 and main_script(text) not in UNSPACED


def _refuse_numbers(lang: str, texts: list[str], source: str) -> None:
    share = _share(_is_number, texts)
    if share > 0.5:
        raise UserError(
            f"{share:.0%} of the {lang} texts are numbers",
            where=source,
            todo="Check which columns hold text (--columns 2,3, for example)",
        )


def _refuse_scripts(sides: list[tuple[str, list[str]]], source: str) -> None:
    """Refuse sides with mostly texts that are not in a script of their language."""
    strange = [(lang, texts) for lang, texts in sides if _is_strange(texts, lang)]
    if not strange:
        return
    if len(sides) == 2 and all(
        not _is_strange(texts, other)
        for (_, texts), (other, _) in zip(sides, reversed(sides), strict=True)
    ):
        raise UserError(
            f"the {sides[0][0]} side is in the script of {sides[1][0]}, and the other way round",
            where=source,
            todo="Swap the sides, for example with --columns 2,1",
        )
    lang, texts = strange[0]
    found = Counter(filter(None, map(main_script, texts))).most_common(1)[0][0]
    raise UserError(
        f"most {lang} texts are in the script {found}, not {' or '.join(sorted(expected(lang)))}",
        where=source,
        todo="Check the language and the columns; where a language is written in another script, "
        f"name it, such as {lang.split('-')[0]}-{found}",
    )


def _is_strange(texts: list[str], lang: str) -> bool:
    if lang == "und" or not expected(lang):
        return False
    return _share(lambda text: script_share(text, lang) < 0.3, texts) > 0.5


def _refuse_lists(texts: list[str], single: bool, source: str) -> None:
    if _share(lambda text: "\t" in text, texts) > 0.5:
        raise UserError(
            "these lines have tabs: this is a table, not running text",
            where=source,
            todo="Take one column out, for example with cut -f2",
        )
    if single:
        raise UserError(
            "nearly every line is one word: this is a list, not running text",
            where=source,
            todo="Put one sentence or paragraph on a line",
        )
