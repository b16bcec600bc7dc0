"""Translate rows of instructions and keep code, formulas, JSON, addresses and tables as they are.

Kept parts never reach the translator: a marker stands for each. A line is translated, its markers
are replaced by the kept parts, and the finished text is compared with its source. A row with a
fault is repaired once: the words between the kept parts are translated alone. Then it is
accepted or rejected, with a reason.

Source: selective translation, Paul et al. 2025, https://arxiv.org/abs/2507.14304. The paper lets a
large model find what to keep and filters its answers by a judge; here parsers find it, any
translator translates, and checks of the finished text filter; a language model may judge after
them (`xadapt.pipelines.faith_judge`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from xadapt.core.errors import UserError
from xadapt.core.files import atomic_file, sha256_file
from xadapt.core.journal import Journal, open_journal
from xadapt.core.progress import Meter, meter
from xadapt.integrations.protected.checks import is_json, kept_fault, line_fault
from xadapt.integrations.protected.markers import Line, Template, has_words, template_of
from xadapt.integrations.protected.spans import KINDS, kinds_of
from xadapt.integrations.translators.cached import CachedTranslator, cached_translator
from xadapt.integrations.translators.protocol import Translator
from xadapt.languages.tags import normalise
from xadapt.pipelines.faith_judge import FaithJudge
from xadapt.pipelines.instructions import Instruction, read_instructions

GROUP = 64
"""Rows whose lines are translated by one call; a cut run repeats at most so many."""
WORDS = 8
"""Words from which on a row that comes back unchanged counts as not translated."""


@dataclass
class SelectiveResult:
    """What became of the rows.

    Attributes:
        rows: Rows of the file.
        accepted: Rows that were written, the repaired ones with them.
        repaired: Rows that were accepted at the second attempt.
        rejected: Rows that were left out; the log has the reason of each.
        untouched: Accepted rows in which nothing was left to translate.
        mixed: Rows of the source language that were written among them.
        kept: By kind, the kept parts of the accepted rows.
        json: JSON values in the accepted rows, all of which parse.
        reasons: By the first words of a reason, how many rows were rejected.
        facts: What decides the translations.
        judge: What the judge was asked in this session.
    """

    rows: int = 0
    accepted: int = 0
    repaired: int = 0
    rejected: int = 0
    untouched: int = 0
    mixed: int = 0
    kept: dict[str, int] = field(default_factory=dict)
    json: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    judge: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values."""
        return asdict(self)

    def __str__(self) -> str:
        kept = ", ".join(f"{count:,} {kind}" for kind, count in self.kept.items() if count)
        lines = [
            f"{self.rows:,} rows: {self.accepted:,} accepted ({self.repaired:,} of them repaired, "
            f"{self.untouched:,} without words to translate), {self.rejected:,} rejected",
            f"kept parts, all as in the source: {kept or 'none'}",
        ]
        if self.mixed:
            lines.append(f"{self.mixed:,} rows of the source language among them")
        lines += [f"rejected: {count:,} because {why}" for why, count in self.reasons.items()]
        return "\n".join(lines)


@dataclass
class _Work:
    """One row on its way."""

    row: Instruction
    templates: list[Template]
    texts: list[str] = field(default_factory=list)
    first: str = ""
    fault: str = ""

    @property
    def lines(self) -> list[Line]:
        return [line for template in self.templates for line in template.lines]


def translate_selective(
    data: str | Path,
    out: str | Path,
    *,
    translator: str | Translator,
    source: str,
    target: str,
    keep: Sequence[str] = KINDS,
    log: str | Path | None = None,
    mix: float = 0.0,
    mix_data: str | Path | None = None,
    judge: FaithJudge | None = None,
    show: bool = False,
) -> SelectiveResult:
    """Translate rows of instructions, all but what must stay.

    The work is kept in the folder ``OUT.work`` until it is finished: the same call goes on after an
    interruption. Output and log appear whole, at the end.

    Args:
        data: JSON lines: ``{prompt, response}``, ``{messages}`` or ``{text}``, with an ``id``.
        out: File to write: a line is ``{id, lang, messages: [{role, content}]}``, or
            ``{id, lang, text}``.
        translator: As for `xadapt.pipelines.translate.translate`.
        source: Language of the rows.
        target: Language to translate into.
        keep: Kinds of parts to keep, of `xadapt.integrations.protected.spans.KINDS`.
        log: File with a line for each row that was repaired or rejected, with the reasons; without
            it, ``OUT.log.jsonl``.
        mix: Rows of the source language to write for each translated row.
        mix_data: File of those rows; without it, ``data``. Each row is used once at most.
        judge: Judges the rows that passed all checks; those below its least score are rejected.
        show: Whether progress is shown.

    Returns:
        The counts.

    Raises:
        UserError: If a kind is unknown, a file can't be read or written or holds no row, a row is
            malformed, the translator or the judge fails, the judge is the translator, or the
            folder holds work with other options.
    """
    languages = normalise(source), normalise(target)
    if languages[0] == languages[1]:
        raise UserError(f"source and target are the same language, {languages[0]}")
    out = Path(out)
    opened = cached_translator(translator)
    kinds = list(kinds_of(",".join(keep)))
    identity = {
        "data": sha256_file(data) if Path(data).is_file() else "",
        "translator": dict(opened.facts),
        "languages": languages,
        "keep": kinds,
        **_judge_of(judge, opened),
    }
    with (
        open_journal(out.with_name(f"{out.name}.work"), identity) as journal,
        meter("translating rows", None, show=show) as bar,
    ):
        _translate(journal, str(data), opened, languages, kinds, bar, judge)
        if not len(journal):
            raise UserError("the file holds no row", where=str(data))
        result = _write(journal, out, log_path(out, log), languages[0], mix, str(mix_data or data))
        result.facts = dict(opened.facts)
        result.judge = {} if judge is None else judge.client.usage.to_dict()
        journal.remove()
    return result


def log_path(out: Path, log: str | Path | None) -> Path:
    """Return the path of the log."""
    return Path(log) if log is not None else out.with_name(f"{out.name}.log.jsonl")


def _translate(
    journal: Journal,
    data: str,
    translator: CachedTranslator,
    languages: tuple[str, str],
    keep: Sequence[str],
    bar: Meter,
    judge: FaithJudge | None,
) -> None:
    """Translate the rows that the journal does not have."""
    done = len(journal)
    bar.skip(done)
    rows = islice(read_instructions(data), done, None)
    while group := list(islice(rows, GROUP)):
        works = [_Work(row, [template_of(text, keep) for text in row.texts]) for row in group]
        _attempt(works, translator, languages, keep)
        faulty = [work for work in works if work.fault]
        _repair(faulty, translator.translator, languages, keep)
        if judge is not None:
            _judge_translations([work for work in works if not work.fault], judge, languages)
        journal.add(_entry(work, languages[1]) for work in works)
        bar.advance(len(works))


def _attempt(
    works: Sequence[_Work],
    translator: CachedTranslator,
    languages: tuple[str, str],
    keep: Sequence[str],
) -> None:
    """Translate whole lines, each once, and judge the rows."""
    texts = list(dict.fromkeys(line.text for work in works for line in work.lines))
    found = dict(zip(texts, translator.translate(texts, *languages), strict=True)) if texts else {}
    for work in works:
        restored: list[str] = []
        for line in work.lines:
            own = found[line.text].strip()
            text, fault = line.restore(own)
            work.fault = work.fault or line_fault(line.text, own, languages[1]) or fault
            restored.append(text)
        _judge(work, restored, keep)


def _repair(
    works: Sequence[_Work],
    translator: Translator,
    languages: tuple[str, str],
    keep: Sequence[str],
) -> None:
    """Translate the words between kept parts alone, past the cache, and judge the rows again."""
    pieces = [piece.strip() for work in works for line in work.lines for piece in line.pieces()]
    texts = list(dict.fromkeys(piece for piece in pieces if has_words(piece)))
    found = dict(zip(texts, translator.translate(texts, *languages), strict=True)) if texts else {}
    for work in works:
        work.first, work.fault = work.fault, ""
        restored: list[str] = []
        for line in work.lines:
            own = [_placed(piece, found) for piece in line.pieces()]
            for piece, text in zip(line.pieces(), own, strict=True):
                if piece.strip() in found:
                    work.fault = work.fault or line_fault(piece.strip(), text.strip(), languages[1])
            restored.append(line.of_pieces(own))
        _judge(work, restored, keep)


def _placed(piece: str, found: dict[str, str]) -> str:
    """Return the translation of a piece between the white space of the piece."""
    inner = piece.strip()
    if inner not in found:
        return piece
    start = len(piece) - len(piece.lstrip())
    return piece[:start] + found[inner].strip() + piece[start + len(inner) :]


def _judge(work: _Work, restored: Sequence[str], keep: Sequence[str]) -> None:
    """Build the texts of a row from its lines, and compare them with the source."""
    if work.fault:
        return
    lines = iter(restored)
    work.texts = [t.fill([next(lines) for _ in t.lines]) for t in work.templates]
    for text, made, template in zip(work.row.texts, work.texts, work.templates, strict=True):
        work.fault = work.fault or kept_fault(text, made, keep, template.spans)
    words = sum(len(line.text.split()) for line in work.lines)
    if not work.fault and words >= WORDS and work.texts == list(work.row.texts):
        work.fault = "nothing was translated"


def _judge_of(judge: FaithJudge | None, translator: CachedTranslator) -> dict[str, Any]:
    """Return what names the judge in unfinished work.

    Raises:
        UserError: If the model that translates would judge itself.
    """
    if judge is None:
        return {}
    own = {*judge.client.facts.items()}
    if own <= {*translator.facts.items()}:
        raise UserError("a translator can't be its own judge", where="--judge", todo="Name another")
    return {"judge": dict(judge.client.facts), "least": judge.least}


def _judge_translations(
    works: Sequence[_Work], judge: FaithJudge, languages: tuple[str, str]
) -> None:
    """Reject rows whose translation the judge finds too low."""
    rows = [list(zip(work.row.texts, work.texts, strict=True)) for work in works]
    for work, fault in zip(works, judge.faults(rows, *languages), strict=True):
        work.fault = fault


def _entry(work: _Work, target: str) -> dict[str, Any]:
    """Return what the journal keeps of a row."""
    kinds: Counter[str] = Counter()
    values = 0
    for text, template in zip(work.row.texts, work.templates, strict=True):
        kinds.update(span.kind for span in template.spans)
        values += sum(is_json(text[s.start : s.end]) for s in template.spans if s.kind == "json")
    head = {"id": work.row.id, "line": work.row.number}
    log = {**head, "outcome": "rejected" if work.fault else "repaired", "first": work.first}
    if work.fault:
        return {"log": {**log, "reason": work.fault}}
    made: dict[str, Any] = {
        "row": work.row.to_chat(work.texts, target),
        "kept": dict(kinds),
        "json": values,
        "untouched": not work.lines,
    }
    return {**made, "log": log} if work.first else made


def _write(
    journal: Journal,
    out: Path,
    log: Path,
    source: str,
    mix: float,
    mix_data: str,
) -> SelectiveResult:
    """Write output and log from the journal, a row at a time."""
    result = SelectiveResult()
    kept: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    own = iter(_source_rows(mix_data, source) if mix else ())
    credit = 0.0
    with (
        atomic_file(out) as file,
        atomic_file(log) as file_of_log,
        file.open("w", encoding="utf-8") as to,
        file_of_log.open("w", encoding="utf-8") as why,
    ):
        for entry in journal:
            result.rows += 1
            if "log" in entry:
                why.write(json.dumps(entry["log"], ensure_ascii=False) + "\n")
                result.repaired += "row" in entry
            if "row" not in entry:
                result.rejected += 1
                reasons[entry["log"]["reason"].partition(":")[0].partition(" '")[0]] += 1
                continue
            result.accepted += 1
            result.untouched += entry["untouched"]
            result.json += entry["json"]
            kept.update(entry["kept"])
            to.write(json.dumps(entry["row"], ensure_ascii=False) + "\n")
            credit += mix
            for row in islice(own, int(credit)):
                to.write(json.dumps(row, ensure_ascii=False) + "\n")
                result.mixed += 1
            credit -= int(credit)
    result.kept = {kind: kept[kind] for kind in KINDS if kept[kind]}
    result.reasons = dict(reasons.most_common())
    return result


def _source_rows(data: str, language: str) -> Iterator[dict[str, Any]]:
    return (row.to_chat(row.texts, language) for row in read_instructions(data))
