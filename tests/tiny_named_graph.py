"""A small graph with names in three languages, shared by tests."""

from __future__ import annotations

from pathlib import Path

FILES = {
    "entities.tsv": "Q1\nQ2\nQ3\nQ4\n",
    "names_de.tsv": "Q1\tBerlin\nQ2\tDeutschland\nQ3\tSpree\nQ4\tKatze\nQ4\tHauskatze\n",
    "names_en.tsv": "Q1\tBerlin City\nQ2\tGermany\nQ3\tspree\nQ4\tcat\n",
    "names_sw.tsv": "Q2\tUjerumani\nQ4\tpaka\n",
    "relations.tsv": "P1\nP2\n",
    "relation_names_en.tsv": "P1\tcapital of\nP2\tflows through\n",
    "train.tsv": "Q1\tP1\tQ2\nQ3\tP2\tQ1\n",
    "dev.tsv": "Q3\tP2\tQ2\n",
    "descriptions_de.tsv": "Q1\tdie Stadt an der Spree\nQ4\tein Tier\n",
}


def graph_folder(path: Path) -> Path:
    """A small multilingual graph."""
    folder = path / "graph"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder
