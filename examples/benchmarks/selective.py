"""Instructions translated by Apertium: plainly, selectively, and by a translator that corrupts.

    python examples/benchmarks/selective.py --data DATA

``DATA/instructions/en.jsonl.gz`` holds rows of ``prompt``, ``response`` and ``kinds``, the kinds of
parts that patterns found in them. The first 300 rows with a kind are taken; every tenth of
them gets a prompt that quotes it as JSON. Apertium must be installed with its pair English-Spanish.

The corrupting translator is Apertium, but one line of every fifth row comes back as a poor language
model would write it. It does so once, or also for the words between the kept parts when the row is
repaired.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench import save

from xadapt.data.readers.lines import read_lines
from xadapt.integrations.protected import python_code
from xadapt.integrations.protected.checks import kept_fault
from xadapt.integrations.protected.markers import Line, template_of
from xadapt.integrations.protected.spans import KINDS, find_spans
from xadapt.integrations.translators.apertium import Apertium
from xadapt.pipelines.selective import translate_selective

ROWS, EVERY = 300, 5
SPOIL: dict[str, Callable[[Line, str], str]] = {
    "a marker lost": lambda line, said: said.replace(_marker(line), "", 1),
    "a marker doubled": lambda line, said: f"{said} {_marker(line)}",
    "a marker renumbered": lambda line, said: said.replace(_marker(line), _marker(line, 9)),
    "markers in small letters": lambda line, said: said.replace(line.name, line.name.lower()),
    "a marker cut in two": lambda line, said: said.replace(_marker(line), line.name, 1),
    "a refusal": lambda line, said: "I'm sorry, but I can't translate this.",
    "nothing": lambda line, said: "",
    "an address added": lambda line, said: f"{said} https://example.org/more",
    "JSON added": lambda line, said: f'{said} {{"translation": "es"}}',
    "repeated ten times": lambda line, said: " ".join([said] * 10),
}
PLAIN = list(SPOIL)[5:]
"""Ways to spoil a line that has no marker."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    path = given.data / "instructions" / "en.jsonl.gz"
    rows = [json.loads(line) for _, line in read_lines(str(path)) if line.strip()]
    rows = [with_record(row, n) for n, row in enumerate(row for row in rows if row["kinds"])][:ROWS]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ["XADAPT_CACHE"] = str(place / "cache")
        (place / "en.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), "utf-8")
        found = {"Apertium, line by line": plain(rows)}
        for name, again in (
            ("selective", None),
            ("selective, one row in five corrupted", False),
            ("selective, corrupted again in the repair", True),
        ):
            translator = Apertium() if again is None else Corrupting(rows, again)
            found[name] = selective(place, rows, translator)
    save("selective", {"rows": len(rows), "every": EVERY, "systems": found})


def with_record(row: dict[str, Any], number: int) -> dict[str, Any]:
    """Quote a row as JSON in the prompt of every tenth row, since the data hold little JSON."""
    if number % 10:
        return row
    record = {key: row[key] for key in ("id", "source", "prompt", "kinds")}
    quoted = json.dumps(record, indent=2 if number % 20 else None)
    return {**row, "prompt": f"Say in one sentence what record {number} asks for.\n\n{quoted}\n"}


def texts_of(row: dict[str, Any]) -> list[str]:
    """Prompt and response, if there is one."""
    return [row[key] for key in ("prompt", "response") if row.get(key)]


def plain(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Translate each line of each text; no part is kept."""
    texts = [text.split("\n") for row in rows for text in texts_of(row)]
    lines = list(dict.fromkeys(line for text in texts for line in text if line.strip()))
    said = dict(zip(lines, Apertium().translate(lines, "en", "es"), strict=True))
    made = iter("\n".join(_indented(line, said.get(line, line)) for line in text) for text in texts)
    return judged([(row, [next(made) for _ in texts_of(row)]) for row in rows])


def _indented(line: str, translation: str) -> str:
    """Give the translation the white space that the line begins with, which Apertium drops."""
    return line[: len(line) - len(line.lstrip())] + translation.lstrip()


def selective(place: Path, rows: Sequence[dict[str, Any]], translator: Any) -> dict[str, Any]:
    """Translate selectively and count what became of the rows."""
    out = place / "es.jsonl"
    result = translate_selective(
        place / "en.jsonl", out, translator=translator, source="en", target="es"
    )
    made = {row["id"]: [turn["content"] for turn in row["messages"]] for row in _read(out)}
    log = {row["id"]: row["outcome"] for row in _read(place / "es.jsonl.log.jsonl")}
    spoilt = getattr(translator, "spoilt", {})
    return {
        **judged([(row, made[row["id"]]) for row in rows if row["id"] in made]),
        **{"repaired": result.repaired, "rejected": result.rejected, "corrupted": len(spoilt)},
        "caught": sum(name in log for name in spoilt),
        "ways": Counter(spoilt.values()),
    }


def judged(made: Sequence[tuple[dict[str, Any], list[str]]]) -> dict[str, Any]:
    """Compare finished rows with their sources, part by part, by the number of exact copies."""
    equal: Counter[str] = Counter()
    total: Counter[str] = Counter()
    broken, parts_of_python, python, values, parsed = 0, 0, 0, 0, 0
    for row, texts in made:
        broken += any(kept_fault(a, b) for a, b in zip(texts_of(row), texts, strict=True))
        for text, translation in zip(texts_of(row), texts, strict=True):
            spans = find_spans(text)
            wanted = Counter((span.kind, text[span.start : span.end]) for span in spans)
            for (kind, part), count in wanted.items():
                total[kind] += count
                equal[kind] += min(count, translation.count(part))
            own = [part for kind, part in wanted if kind == "json"]
            values += len(own)
            parsed += len([p for p in own if _as_json(p) in _values(translation)])
            code = [part for kind, part in wanted if kind == "code" and python_code.parses(part)]
            parts_of_python += len(code)
            python += sum(_has_python(translation, part) for part in code)
    return {
        "accepted": len(made),
        "broken": broken,
        "kinds": {kind: [equal[kind], total[kind]] for kind in KINDS if total[kind]},
        "json": [parsed, values],
        "python": [python, parts_of_python],
    }


def _as_json(part: str) -> str:
    return json.dumps(json.loads(part))


def _values(text: str) -> list[str]:
    """The JSON values that a text has, each read again."""
    spans = find_spans(text, ["json"])
    return [_as_json(text[span.start : span.end]) for span in spans]


def _has_python(text: str, part: str) -> bool:
    """Whether a text has this code, so that the syntax tree is the same."""
    spans = find_spans(text, ["code"])
    found = [text[span.start : span.end] for span in spans]
    return part in found and all(python_code.parses(p) for p in found if p == part)


class Corrupting:
    """Apertium that spoils one line of every fifth row.

    Args:
        rows: The rows.
        again: Whether the words between kept parts are spoilt too.
    """

    def __init__(self, rows: Sequence[dict[str, Any]], again: bool) -> None:
        self.facts = {"translator": "corrupting Apertium", "again": str(again)}
        self.spoilt: dict[str, str] = {}
        self._lines: dict[str, tuple[Line, str]] = {}
        self._pieces: set[str] = set()
        self._own = Apertium()
        with_words = [(row, lines) for row in rows if (lines := self._of(row))]
        for row, lines in with_words[::EVERY]:
            line = max(lines, key=lambda one: (bool(one.kept), len(one.text)))
            ways = list(SPOIL) if line.kept else PLAIN
            digest = hashlib.sha256(row["id"].encode()).digest()
            way = ways[digest[0] % len(ways)]
            self.spoilt[row["id"]] = way
            self._lines[line.text] = line, way
            if again:
                self._pieces |= {piece.strip() for piece in line.pieces()}

    @staticmethod
    def _of(row: dict[str, Any]) -> list[Line]:
        """The lines of a row that are long enough for each way to spoil them."""
        lines = [line for text in texts_of(row) for line in template_of(text, KINDS).lines]
        return [line for line in lines if len(line.text) > 30]

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        """Translate, and spoil."""
        made = self._own.translate(texts, source, target)
        return [self._one(text, said) for text, said in zip(texts, made, strict=True)]

    def _one(self, text: str, said: str) -> str:
        if text in self._lines:
            line, way = self._lines[text]
            return SPOIL[way](line, said)
        return "" if text in self._pieces else said


def _marker(line: Line, number: int = 0) -> str:
    return f"{line.name}{number}{line.name}"


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


if __name__ == "__main__":
    main()
