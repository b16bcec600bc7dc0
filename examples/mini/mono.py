"""Plain text of one language each, without sentences that are held out or tested on elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from xadapt.core.text_key import normal_key
from xadapt.data.readers.lines import read_lines

FOLDERS = {
    "mono2": "open licences alone, see SOURCES_mono2.md",
    "mono3": "CC BY 4.0, CC BY-SA, Apache-2.0, see SOURCES_added.md",
}
"""Folders whose every line is open. ``mono`` and ``extra/mono`` mix open text with text that is not
and tag no line: what of them is open and tagged stands in the columns of the parallel files."""
TESTED = (
    "claims", "entities", "instructions", "mantra", "ner", "nli", "openie", "pos", "qa", "re",
    "retrieval", "sts", "word_alignment", "xcopa", "extra/pos", "extra/ner", "extra/sts",
)  # fmt: skip
"""Folders whose sentences are tested on, or learnt from with labels, elsewhere."""
MACHINE = re.compile(
    r"azure|\bazd\b|edge ?ai|\biot\b|foundry|webdriver|wdio|\bslms?\b|\bphi-|qwen|onnx|openvino"
    r"|bitnet|raspberry pi|arduino|\bwio\b|\bseeed|co-op translator|copilot|ollama|gemma|llama",
    re.IGNORECASE,
)
"""Words of the machine-translated courses in ``mono2``, whose lines have no tag."""
GERMAN = re.compile(r"css|html|javascript|firefox|mdn|\bdom\b|\bapi\b", re.IGNORECASE)
SENTENCE = re.compile(r"(?<=[.!?…。！？؟।])[\s”»\"')]*")
SHORT, LONG, PREFIX = 8, 24, 16  # letters of a key


class Held:
    """Texts that must not be learnt, in whatever language.

    Args:
        keys: Their normal keys. A key of few letters counts for whole lines alone, one of many
            also inside another text.
    """

    def __init__(self, keys: set[str]) -> None:
        self.keys = keys
        self.inside: dict[str, list[str]] = {}
        for key in keys:
            if len(key) >= LONG:
                self.inside.setdefault(key[:PREFIX], []).append(key)

    def has(self, text: str) -> bool:
        """Whether the text, one of its sentences or a part of it is held out."""
        key = normal_key(text)
        if key in self.keys:
            return True
        parts = (normal_key(part) for part in SENTENCE.split(text) if part)
        if any(part in self.keys for part in parts if len(part) >= SHORT):
            return True
        starts = (key[i : i + PREFIX] for i in range(len(key) - LONG + 1))
        return any(
            any(whole in key for whole in self.inside[start])
            for start in starts
            if start in self.inside
        )


def mono(data: Path, lang: str) -> Iterator[tuple[str, str]]:
    """Line and folder of a language's open text, without what a machine seems to have written."""
    for folder in FOLDERS:
        path = data / folder / f"{lang}.txt.gz"
        if path.exists():
            for _, line in read_lines(str(path)):
                if line.strip() and not (folder == "mono2" and translated(line, lang)):
                    yield line.strip(), folder


def translated(line: str, lang: str) -> bool:
    """Whether a line of ``mono2`` has a word of the sources that are machine-translated."""
    if lang == "en":
        return False
    return bool(MACHINE.search(line) or (lang == "de" and GERMAN.search(line)))


def tested(data: Path) -> set[str]:
    """Keys of all sentences that other tasks test on or learn labels from."""
    found: set[str] = set()
    for folder in TESTED:
        for path in sorted((data / folder).rglob("*.gz")):
            for text in _texts(path):
                found.update(normal_key(part) for part in (text, *SENTENCE.split(text)))
    return {key for key in found if len(key) >= SHORT}


def _texts(path: Path) -> Iterator[str]:
    lines = (line for _, line in read_lines(str(path)))
    if ".jsonl" in path.name:
        for line in lines:
            yield from _strings(json.loads(line))
    elif ".conllu" in path.name:
        yield from _columns(lines, 1)
    elif "ner" in path.parts:
        yield from _columns(lines, 0)
    else:
        for line in lines:
            yield from (re.sub(r"</?e\d>", "", part) for part in line.split("\t"))


def _columns(lines: Iterator[str], column: int) -> Iterator[str]:
    words: list[str] = []
    for line in lines:
        parts = line.split("\t")
        if len(parts) > column:
            words.append(parts[column])
        elif words:
            yield " ".join(words)
            words = []
    if words:
        yield " ".join(words)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)
