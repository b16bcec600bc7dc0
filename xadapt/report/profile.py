"""The profile of an encoder with modules: its numbers by language, a table, and a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from xadapt.core.files import write_text
from xadapt.report.display import Displayed
from xadapt.report.style import POLICY, style_sheet
from xadapt.report.table import Bar, Table, number

TEMPLATE = "profile.html"
MARK = '<meta name="generator" content="xadapt profile">'
"""What tells a page that may be written over from a file of the user's."""


@dataclass(frozen=True)
class Spelled:
    """How the base's tokenizer spells a language. Special tokens are not counted.

    Attributes:
        tokens_per_word: Fertility: tokens for each run of characters between spaces.
        tokens_per_character: Tokens for each character that is no space.
        parity: Tokens of the texts over tokens of their translations; 1 is equal treatment.
        unknown: Share of the tokens that are the unknown token.
        cut: Share of the texts that the base does not read to the end.
    """

    tokens_per_word: float
    tokens_per_character: float
    parity: float
    unknown: float
    cut: float


@dataclass(frozen=True)
class SystemScores:
    """The numbers of one system in one language.

    Attributes:
        system: Name of the system.
        accuracy: Sentence retrieval, the mean of both directions.
        low: Lower end of its 95 % interval over pairs.
        high: Upper end.
        noisy: The same with mistyped texts.
        noisy_cosine: Mean cosine of a text and its mistyped form.
        source_kept: Mean cosine of the pivot's vectors and those of the frozen base.
        source_order: Spearman's correlation of the pivot's similarities and those of the base.
        own_language_first: Share of sentences whose nearest one is of their own language.
        translations: Mean cosine of translations.
        within: Mean cosine of unrelated sentences of one language.
        across: Mean cosine of unrelated sentences of the two languages.
    """

    system: str
    accuracy: float
    low: float
    high: float
    noisy: float
    noisy_cosine: float
    source_kept: float
    source_order: float
    own_language_first: float
    translations: float
    within: float
    across: float

    @property
    def noise_loss(self) -> float:
        """The accuracy that mistyped texts lose."""
        return self.accuracy - self.noisy

    @property
    def gap(self) -> float:
        """How much nearer unrelated sentences are within a language than across."""
        return self.within - self.across


@dataclass(frozen=True)
class LanguageProfile:
    """The numbers of one language.

    Attributes:
        lang: BCP-47 tag.
        name: English name.
        pairs: Number of pairs that were measured.
        dropped: Number of pairs left out, since an earlier one has the same sentence.
        spelled: The tokenizer's numbers.
        systems: The frozen base first.
    """

    lang: str
    name: str
    pairs: int
    dropped: int
    spelled: Spelled
    systems: tuple[SystemScores, ...]

    def __getitem__(self, system: str) -> SystemScores:
        return next(one for one in self.systems if one.system == system)


@dataclass(frozen=True)
class Told:
    """How well a linear probe tells the languages of one system apart, see `Leakage`.

    Attributes:
        system: Name of the system.
        accuracy: Mean over languages of the share of vectors that are told right.
        chance: The accuracy of a guess.
        recall: The share by language.
        tested: Number of held-out vectors.
    """

    system: str
    accuracy: float
    chance: float
    recall: Mapping[str, float]
    tested: int


@dataclass(frozen=True)
class Size:
    """The size of the base or of a module.

    Attributes:
        name: ``base``, or the name of a module.
        parameters: Number of values.
        bytes: Bytes of the weights; of a module, those of its file.
    """

    name: str
    parameters: int
    bytes: int


@dataclass(frozen=True, repr=False)
class Profile(Displayed):
    """The profile of a base, and of modules on it.

    Attributes:
        base: Name of the base.
        composition: The modules that act, as text; empty for the base alone.
        pivot: BCP-47 tag of the pivot language.
        pivot_name: English name of the pivot language.
        languages: The numbers by language.
        told: Leakage of language identity by system; empty if too few texts could be held out.
        sizes: The base first.
        facts: What the numbers depend on: data, limits, seeds.
    """

    base: str
    composition: str
    pivot: str
    pivot_name: str
    languages: tuple[LanguageProfile, ...]
    told: tuple[Told, ...]
    sizes: tuple[Size, ...]
    facts: Mapping[str, Any]

    @property
    def systems(self) -> list[str]:
        """The names of the systems, the frozen base first."""
        return [one.system for one in self.languages[0].systems]

    def values(self, system: str, measure: str) -> dict[str, float]:
        """Return one number of a system by language."""
        return {row.lang: getattr(row[system], measure) for row in self.languages}

    def mean(self, system: str, measure: str = "accuracy") -> float:
        """Return the mean of a number over languages; each language counts once."""
        found = self.values(system, measure)
        return sum(found.values()) / len(found)

    def worst(self, system: str) -> tuple[str, float]:
        """Return the language of the lowest accuracy, and the accuracy."""
        found = self.values(system, "accuracy")
        lang = min(found, key=lambda tag: found[tag])
        return lang, found[lang]

    def name_of(self, lang: str) -> str:
        """Return the English name of a measured language."""
        return next(row.name for row in self.languages if row.lang == lang)

    def share(self, size: Size) -> float:
        """Return the parameters of a module as a share of those of the base."""
        return size.parameters / self.sizes[0].parameters

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as JSON values."""
        made = asdict(self)
        for row, own in zip(made["languages"], self.languages, strict=True):
            for scores, one in zip(row["systems"], own.systems, strict=True):
                scores |= {"noise_loss": one.noise_loss, "gap": one.gap}
        made["over_languages"] = [
            {
                "system": name,
                "mean": self.mean(name),
                "worst": dict(zip(("lang", "accuracy"), self.worst(name), strict=True)),
            }
            for name in self.systems
        ]
        return made

    def write_page(self, path: Path | str) -> None:
        """Write the page atomically: one HTML file without scripts and outside resources.

        Raises:
            UserError: If the disk is full or the folder can't be written.
        """
        write_text(path, render(self))

    def _table(self) -> Table:
        kept = f"{self.pivot} kept"
        columns = ("", "accuracy", "mistyped", kept, "own first", "gap", "tok./word", "parity")
        rows: list[tuple[Any, ...]] = []
        for row in self.languages:
            spelled = (number(row.spelled.tokens_per_word, 2), number(row.spelled.parity, 2))
            rows.append((f"{row.name} ({row.lang}), {row.pairs:,} pairs", *[None] * 5, *spelled))
            for one in row.systems:
                values = (one.accuracy, one.noisy, one.source_kept, one.own_language_first)
                rows.append(
                    (
                        f"  {one.system}",
                        *map(number, values),
                        number(one.gap, sign=True),
                        None,
                        None,
                    )
                )
        notes = [
            f"{name}: mean accuracy {number(self.mean(name))}, lowest in "
            f"{self.worst(name)[0]}: {number(self.worst(name)[1])}"
            for name in self.systems
        ]
        notes += [
            f"{one.system}: a probe tells the language of {one.accuracy:.1%} (chance "
            f"{one.chance:.1%})"
            for one in self.told
        ]
        notes += [
            f"{size.name}: {size.parameters:,} parameters"
            + (f", {self.share(size):.2%} of the base" if place else "")
            + f", {size.bytes:,} bytes"
            for place, size in enumerate(self.sizes)
        ]
        return Table(columns, tuple(rows), notes=tuple(notes))

    def _records(self) -> list[dict[str, Any]]:
        return [
            {"lang": row.lang, **asdict(row.spelled), **asdict(one)}
            for row in self.languages
            for one in row.systems
        ]

    def _bars(self) -> list[Bar]:
        return [
            Bar(f"{row.lang}, {one.system}", "accuracy", one.accuracy, one.low, one.high)
            for row in self.languages
            for one in row.systems
        ]


def render(profile: Profile) -> str:
    """Return the page as text. Every text of the profile is escaped."""
    page = _template().render(
        profile=profile,
        modules=profile.systems[1:],
        mark=Markup(MARK),
        policy=POLICY,
        style=Markup(style_sheet() + RULES),
    )
    # the page must be written even if a name has half a surrogate pair
    return page.encode("utf-8", "replace").decode("utf-8")


@cache
def _template() -> Template:
    made = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    made.globals.update(number=number, signed=_signed, in_units=_size, least=min, most=max)
    return made.from_string(Path(__file__).with_name(TEMPLATE).read_text(encoding="utf-8"))


def _signed(value: float) -> str:
    return number(value, sign=True)


def _size(count: int) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count = count / 1000  # type: ignore[assignment]
    return f"{count:.3g} GB"


RULES = """
body { max-width: 72rem }
.measures { width: 100%; border-collapse: collapse; font-size: .875rem; margin: .6rem 0 0 }
.measures caption { text-align: left; color: var(--soft); padding-bottom: .3rem }
.measures th { font-weight: 400; color: var(--soft); font-size: .8rem; text-align: right;
  vertical-align: bottom; line-height: 1.25 }
.measures th, .measures td { padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top }
.measures td { text-align: right; font-variant-numeric: tabular-nums }
.measures th:first-child, .measures .name { text-align: left }
.measures .first td { border-top: 2px solid var(--line) }
.measures .is-module { font-weight: 600 }
.measures td.low { color: var(--wrong) }
.bars .range { z-index: 1 }
@media (max-width: 52rem) {
  .measures { display: block; overflow-x: auto }
}
"""
