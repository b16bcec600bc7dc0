"""Write the page of a collection of modules: one HTML file without scripts or outside resources."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from xadapt.core.files import write_text
from xadapt.report.style import POLICY, style_sheet

TEMPLATE = "gallery.html"
MARK = '<meta name="generator" content="xadapt gallery">'
"""What tells a page that may be written over from a file of the user's."""
RULES = """
body { max-width: 76rem }
.facts { grid-template-columns: repeat(auto-fit, minmax(min(100%, 8.5rem), 1fr)) }
.dots { list-style: none; margin: 0; padding: 0; max-width: 52rem }
.dots li { display: grid; grid-template-columns: minmax(6rem, 9rem) minmax(6rem, 1fr) 6.2rem;
  gap: 0 .7rem; align-items: center; padding: .18rem 0; font-size: .875rem; margin: 0 }
.dots .track { height: 1.1rem }
.gained { position: absolute; top: calc(50% - 1.5px); height: 3px; background: var(--module) }
.lost { background: var(--wrong) }
.dot { position: absolute; top: calc(50% - .3rem); width: .6rem; height: .6rem;
  margin-left: -.3rem; border-radius: 50%; background: var(--paper);
  border: 2px solid var(--control) }
.is-own { background: var(--module); border-color: var(--module) }
.tick { position: absolute; top: .1rem; bottom: .1rem; width: 2px; margin-left: -1px;
  background: var(--series-1) }
.stranger { background: var(--series-3); width: 0; border-left: 2px dotted var(--series-3);
  background: none }
.key { display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; margin: 0 0 .8rem; padding: 0;
  list-style: none; font-size: .875rem; color: var(--soft) }
.key li { margin: 0; display: flex; align-items: center; gap: .45rem }
.key .mark-box { position: relative; width: .9rem; height: 1.1rem; margin: 0 }
.key .mark-box i { left: 50% }
.modules { width: 100%; border-collapse: collapse; font-size: .85rem; margin-top: 1rem }
.modules th { text-align: right; font-weight: 400; color: var(--soft); font-size: .78rem;
  vertical-align: bottom; line-height: 1.25 }
.modules th, .modules td { padding: .35rem .6rem .35rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top }
.modules td { text-align: right; font-variant-numeric: tabular-nums }
.modules .words { text-align: left }
.modules td small { display: block; white-space: nowrap; font-size: .75rem }
.modules .better { font-weight: 700 }
.modules .worse { color: var(--wrong); font-weight: 700 }
@media (max-width: 52rem) {
  .dots li { grid-template-columns: minmax(0, 1fr) 6.2rem }
  .dots .name { grid-column: 1 / -1 }
  .modules thead { display: none }
  .modules, .modules tbody { display: block }
  .modules tr { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr));
    gap: .1rem 1rem; padding: .7rem 0; border-bottom: 1px solid var(--line) }
  .modules td { border: 0; padding: .1rem 0; text-align: left }
  .modules td::before { content: attr(data-column); display: block; color: var(--soft);
    font-size: .75rem; font-weight: 400 }
  .modules .title { grid-column: 1 / -1; font-weight: 700 }
  .modules .title::before { content: none }
}
"""


@dataclass(frozen=True)
class GalleryScore:
    """A score of a module beside those of its base and controls.

    Attributes:
        value: The module's score.
        base: That of the frozen base.
        tfidf: That of TF-IDF.
        stranger: That of the module of another language.
        low: Lower end of the paired gain over the base, where it is known.
        high: Upper end of it.
    """

    value: float
    base: float | None = None
    tfidf: float | None = None
    stranger: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def gain(self) -> float | None:
        """The score less that of the frozen base."""
        return None if self.base is None else self.value - self.base

    @property
    def over_tfidf(self) -> float | None:
        """The score less that of TF-IDF."""
        return None if self.tfidf is None else self.value - self.tfidf


@dataclass(frozen=True)
class GalleryModule:
    """One module of the collection.

    Attributes:
        language: Name of its language or languages.
        tags: Their tags.
        name: Its name.
        kind: Its kind, such as ``lora``.
        place: Path of its folder from the page.
        score: Its score, if it was measured.
        tested_on: The data it was measured on.
        rows: How many rows these have.
        held_out: Whether they are test data that were compared with its training texts.
        bytes: Size of its tensors.
        licence: Its licence.
        loaders: Libraries that were compared with xadapt when it was written.
    """

    language: str
    tags: str
    name: str
    kind: str
    place: str
    score: GalleryScore | None
    tested_on: str
    rows: int | None
    held_out: bool
    bytes: int
    licence: str
    loaders: tuple[str, ...]


@dataclass(frozen=True)
class GallerySection:
    """The modules of one base that were measured in the same way.

    Attributes:
        base: The base.
        metric: What their scores are.
        modules: The modules, by language.
    """

    base: str
    metric: str
    modules: tuple[GalleryModule, ...]

    @property
    def measured(self) -> list[GalleryScore]:
        """The scores of the modules that have one with that of the base."""
        scores = (one.score for one in self.modules)
        return [score for score in scores if score is not None and score.base is not None]

    @property
    def facts(self) -> list[tuple[str, str]]:
        """The numbers over all modules, by name."""
        found = [("Modules", str(len(self.modules)))]
        scores = self.measured
        if scores:
            found.append(("Mean score", f"{_mean(s.value for s in scores):.3f}"))
            found.append(("Frozen base", f"{_mean(s.base or 0.0 for s in scores):.3f}"))
            better = sum((s.gain or 0.0) > 0 for s in scores)
            found.append(("Better than the base", f"{better} of {len(scores)}"))
            plain = [s for s in scores if s.tfidf is not None]
            if plain:
                found.append(("TF-IDF", f"{_mean(s.tfidf or 0.0 for s in plain):.3f}"))
            other = [s for s in scores if s.stranger is not None]
            if other:
                found.append(
                    ("Module of another language", f"{_mean(s.stranger or 0.0 for s in other):.3f}")
                )
        sizes = [one.bytes for one in self.modules]
        found.append(("Mean size", f"{sum(sizes) / len(sizes) / 1e6:.1f} MB"))
        return found


@dataclass(frozen=True)
class Gallery:
    """What the page shows.

    Attributes:
        title: The title.
        sections: The modules, by base and by what measured them.
        skipped: What could not be read, one line each.
    """

    title: str
    sections: tuple[GallerySection, ...]
    skipped: tuple[str, ...] = field(default=())


def render_gallery(gallery: Gallery) -> str:
    """Return the whole page as text. Every text of a module is escaped."""
    style = Markup(style_sheet() + RULES.strip() + "\n")
    page = _template().render(gallery=gallery, mark=Markup(MARK), policy=POLICY, style=style)
    return page.encode("utf-8", "replace").decode("utf-8")


def write_gallery(path: Path | str, gallery: Gallery) -> None:
    """Write the page atomically.

    Raises:
        UserError: If the disk is full or the folder can't be written.
    """
    write_text(path, render_gallery(gallery))


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return float(sum(numbers) / len(numbers))


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.3f}"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


@cache
def _template() -> Template:
    made = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    made.globals.update(signed=_signed, size=_size)
    return made.from_string(Path(__file__).with_name(TEMPLATE).read_text(encoding="utf-8"))
