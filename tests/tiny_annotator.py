"""What a model might say to the questions of ``annotate``: a few rules in place of a model."""

from __future__ import annotations

import json
import re

TEXT = re.compile(r"<text>\n(.*)\n</text>", re.S)
PASSAGE = re.compile(r"<passage>\n(.*)\n</passage>", re.S)
NAME = re.compile(r"\b[A-Z][a-z]+\b")
TYPES = ("person", "city", "sports team")
PLACES = ("Berlin", "Nairobi", "Lima", "Oslo", "Accra")
PEOPLE = ("Ada", "Bo", "Chen", "Dina", "Emeka")


def passage_of(messages: list[dict[str, str]]) -> str:
    """The passage of the first question of a conversation."""
    found = PASSAGE.search(messages[1]["content"])
    return found[1] if found else ""


def turned(text: str) -> str:
    """A text in a made language: each word backwards, all but markers."""
    words = text.split(" ")
    return " ".join(w if re.fullmatch(r"[A-Z]+\d+[A-Z]+", w) else w[::-1] for w in words)


def annotator(messages: list[dict[str, str]]) -> str:
    """Answer every question that xadapt asks.

    Passages are rated by the number of names, names are listed, labels and translations written
    backwards, and each translation gets the best scores.
    """
    asked = messages[1]["content"]
    if "Judge this translation" in asked:
        names = ("fluency", "accuracy", "idiomaticity", "terminology", "format")
        return json.dumps(dict.fromkeys(names, 5))
    if "<candidates>" in asked:
        name, *others = re.findall(r"^name: (.*)$", asked, re.M)
        alike = [one[:4] == name[:4] for one in others]
        return json.dumps({"choice": alike.index(True) + 1 if True in alike else 0})
    if "It has these parts" in asked:
        parts = re.findall(r"^(?:predicate|argument \d): (.*)$", asked, re.M)
        first, *others = map(turned, parts)
        return json.dumps({"predicate": first, "arguments": others})
    if asked.startswith("Translate this"):
        found = TEXT.search(asked)
        assert found
        return json.dumps({"translation": turned(found[1])})
    names = NAME.findall(passage_of(messages))
    if "How useful" in asked:
        return json.dumps({"rating": min(4, max(1, len(names)))})
    if "List every named entity" in asked:
        rows = [{"text": n, "type": TYPES[n in PLACES]} for n in names]
        return json.dumps({"entities": rows})
    label = re.search(r"entity type '(.+?)'", asked)
    assert label, asked
    return json.dumps({"name": label[1][::-1]})


def passage(i: int) -> str:
    """A passage with names of people and places; every fifth has none."""
    who, where = PEOPLE[i % 5], PLACES[i // 5 % 5]
    if i % 5 == 4:
        return f"it rained on day {i} and nobody came"
    return f"{who} saw {PEOPLE[(i + 1) % 5]} in {where} on day {i}, and {who} left"
