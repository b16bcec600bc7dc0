"""What the pages find in their folder: small files of every kind, and modules trained once.

Hidden blocks of the pages call these functions.
"""

from __future__ import annotations

import importlib
import json
import shutil
import socket
import tempfile
import tomllib
from functools import cache
from pathlib import Path
from threading import Event, Thread

import numpy as np
from tiny_commands import good, write_tsv
from tiny_graphs import DBP5L, write
from tiny_training import labelled, plain, tagged
from tiny_training import pairs as drawn
from tiny_training import scored as scored_pairs
from twin_graphs import family, twins

from xadapt.core import registry

HOME = Path(tempfile.mkdtemp(prefix="xadapt-pages-"))


def pairs(path: str, n: int = 40) -> None:
    """Write a TSV of pairs, English first."""
    write_tsv(_made(path), drawn(n, seed=len(path)))


def lines(path: str, n: int = 24) -> None:
    """Write plain text, a sentence a line."""
    _made(path).write_text("".join(f"{row.text}\n" for row in plain(n)), encoding="utf-8")


def tags(path: str, *tags: str) -> None:
    """Write 20 language tags, a tag a line, in turn."""
    _made(path).write_text("".join(f"{tags[i % len(tags)]}\n" for i in range(20)), encoding="utf-8")


def jsonl(path: str, *tags: str) -> None:
    """Write 40 texts with their languages as JSON lines."""
    rows = [
        json.dumps({"text": row.text, "lang": tags[i % len(tags)]})
        for i, row in enumerate(plain(40))
    ]
    _made(path).write_text("\n".join(rows) + "\n", encoding="utf-8")


def conll(path: str, n: int = 30) -> None:
    """Write labelled words in the CoNLL format."""
    text = ""
    for row in tagged(n, seed=len(path)):
        labels = ["O"] * len(row.words)
        for start, _, label in row.spans:
            labels[start] = f"B-{label}"
        text += "".join(f"{w} {b}\n" for w, b in zip(row.words, labels, strict=True)) + "\n"
    _made(path).write_text(text, encoding="utf-8")


def scored(path: str, n: int = 40) -> None:
    """Write pairs of texts with scores."""
    rows = [f"{row.left}\t{row.right}\t{row.score}\n" for row in scored_pairs(n)]
    _made(path).write_text("".join(rows), encoding="utf-8")


def labels_as_texts(path: str) -> None:
    """Write the text of the label of `conll`, as JSON."""
    _made(path).write_text('{"ANIMAL": "animal"}', encoding="utf-8")


def translated_labels(path: str, translations: str) -> None:
    """Write labelled words as CoNLL, and their translations, a sentence a line."""
    rows = [(("Ada", "met", "Bo"), "Ada alikutana na Bo"), (("Rain", "fell"), "Mvua ilinyesha")]
    text = "\n".join(
        "".join(f"{w}\t{'B-PER' if w in 'AdaBo' else 'O'}\n" for w in words) for words, _ in rows
    )
    _made(path).write_text(text, encoding="utf-8")
    _made(translations).write_text("".join(f"{said}\n" for _, said in rows), encoding="utf-8")


def tagging_seq2seq(path: str) -> None:
    """Save a tiny encoder-decoder with random weights."""
    from tiny_seq2seq import tiny_seq2seq_folder

    tiny_seq2seq_folder(_made(path))


def text_base(path: str, family: str = "t5") -> None:
    """Save a tiny encoder-decoder with random weights, for training."""
    from tiny_seq2seq_training import small_folder

    small_folder(_made(path), family)


def text_rows(path: str, n: int = 40) -> None:
    """Write JSON lines of sources and targets."""
    from tiny_seq2seq_training import rows

    said = ({"source": row.source, "target": row.target} for row in rows(n))
    _made(path).write_text("".join(f"{json.dumps(row)}\n" for row in said), encoding="utf-8")


def translation_model(path: str) -> None:
    """Save a tiny translation model with random weights, whose vocabulary has brackets."""
    from tiny_translation import translator_folder

    translator_folder(_made(path))


def carried_brackets(path: str) -> None:
    """Write sentences with brackets around their spans, and translations that keep them."""
    rows = ("[ Ada ] met [ Bo ]\t[ Ada ] alikutana na [ Bo ]\n", "Rain fell\tMvua ilinyesha\n")
    _made(path).write_text("".join(rows), encoding="utf-8")


def relations(path: str, translations: str, n: int = 60) -> None:
    """Write texts with tagged entities, and translations of them in which the tags are kept."""
    names, towns = ("Ada", "Bo", "Amina", "Huko"), ("Rome", "Nairobi", "Mombasa", "Oslo")
    rows, said = [], []
    for i in range(n):
        name, town, born = names[i % 4], towns[i // 4 % 4], i % 3
        verb, other, relation = (
            ("left", "aliondoka", "no_relation"),
            ("likes", "anapenda", "likes(e1,e2)"),
            ("visits", "anatembelea", "visits(e1,e2)"),
        )[born]
        text = f"<e1>{name} {i}</e1> {verb} <e2>{town}</e2>."
        rows.append(f"{i}\t{text}\t{relation}\n")
        said.append(f"<b>{name} {i}</b> {verb} <i>{town}</i>.\t<b>{name} {i}</b> {other} "
                    f"<i>{town}</i>.\n")  # fmt: skip
    _made(path).write_text("".join(rows), encoding="utf-8")
    _made(translations).write_text("".join(said), encoding="utf-8")


def peft_lora(path: str) -> None:
    """Save a LoRA of peft on mini, with random values."""
    from foreign_adapters import peft_folder

    from xadapt.backbones.bases import resolve

    peft_folder(_made(path), resolve("mini").location)


def classes(path: str, n: int = 30) -> None:
    """Write texts and their classes as TSV."""
    rows = labelled(n, seed=len(path))
    _made(path).write_text("".join(f"{r.text}\t{r.label}\n" for r in rows), encoding="utf-8")


def words(source: str, target: str, dictionary: str, n: int = 120) -> None:
    """Write two files of word vectors, one a rotation of the other, and their dictionary."""
    rng = np.random.default_rng(0)
    turn, _ = np.linalg.qr(rng.normal(size=(8, 8)))
    rows = rng.normal(size=(n, 8))
    for path, letter, vectors in ((source, "s", rows), (target, "t", rows @ turn.T)):
        lines = (
            f"{letter}{i} {' '.join(f'{v:.5f}' for v in row)}" for i, row in enumerate(vectors)
        )
        _made(path).write_text("\n".join(lines) + "\n", encoding="utf-8")
    pairs = "".join(f"s{i} t{i}\n" for i in range(n))
    _made(dictionary).write_text(pairs, encoding="utf-8")


def subtitles(path: str, n: int = 30) -> None:
    """Write subtitles."""
    time = "00:00:01,000 --> 00:00:02,500"
    text = "".join(f"{i + 1}\n{time}\n{row.text}\n\n" for i, row in enumerate(plain(n)))
    _made(path).write_text(text, encoding="utf-8")


def install(project: str) -> None:
    """Make the package of a pyproject.toml in this folder known, as ``pip install -e .`` does."""
    told = tomllib.loads(Path(project).read_text(encoding="utf-8"))["project"]
    name, version = told["name"], told["version"]
    info = _made(f"{name.replace('-', '_')}-{version}.dist-info/METADATA")
    info.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    groups = [
        f"[{group}]\n" + "".join(f"{part} = {place}\n" for part, place in parts.items())
        for group, parts in told["entry-points"].items()
    ]
    (info.parent / "entry_points.txt").write_text("\n".join(groups))
    importlib.invalidate_caches()
    registry.names.cache_clear()


def modules(*folders: str) -> None:
    """Make modules of mini, each for the language that its folder is called after."""
    for folder in folders:
        lang = Path(folder).name
        shutil.copytree(_trained("translation_ranking", lang), _made(folder))


def graph(folder: str) -> None:
    """Write a small graph in the layout of DBP-5L."""
    write(Path(folder), DBP5L)


def twin_graphs(folder: str) -> None:
    """Write two graphs of one world with links, and a graph to complete, as tables."""
    from xadapt.data.graphs.joining import side_by_side
    from xadapt.data.graphs.writing import write_graph

    left, right, links = twins(100, 400)
    for name, graph, own in (
        (folder, side_by_side("twins", left, right), links),
        (f"{folder}-family", family(), None),
    ):
        Path(name).mkdir()
        write_graph(Path(name), graph, own)


def server(port: int, *folders: str) -> None:
    """Serve mini with modules on a port of this machine, until the tests end."""
    from tiny_server import running

    from xadapt.serving.settings import Settings

    _require_free(port)
    started, given = Event(), tuple(f"{Path(one).name}={Path(one).resolve()}" for one in folders)

    def serve() -> None:
        with running(Settings("mini", given, port=port)):
            started.set()
            Event().wait()

    Thread(target=serve, daemon=True).start()
    assert started.wait(60)


def language_model(port: int) -> None:
    """Serve a few rules in place of a language model on a port, until the tests end."""
    from model_server import serving
    from tiny_annotator import annotator

    _require_free(port)
    started = Event()

    def serve() -> None:
        with serving(annotator, port=port):
            started.set()
            Event().wait()

    Thread(target=serve, daemon=True).start()
    assert started.wait(60)


def _require_free(port: int) -> None:
    with socket.socket() as other:
        taken = other.connect_ex(("127.0.0.1", port)) == 0
    assert not taken, f"port {port} is taken, perhaps by another run of these tests"


def passages(path: str, n: int = 10) -> None:
    """Write passages with names, one a line."""
    from tiny_annotator import passage

    _made(path).write_text("".join(f"{passage(i)}\n" for i in range(n)), encoding="utf-8")


def language_modules(*folders: str) -> None:
    """Make language modules (LoRAs) of mini in folders called such as ``sw-lang``."""
    for folder in folders:
        lang = Path(folder).name.removesuffix("-lang")
        shutil.copytree(_trained("mlm", lang), _made(folder))


@cache
def _trained(recipe: str, lang: str) -> Path:
    """Train a module on a few rows, once."""
    out, data = HOME / recipe / lang, HOME / recipe / f"{lang}.txt"
    (lines if recipe == "mlm" else pairs)(str(data))
    good("train", recipe, "--base", "mini", "--data", data, "--lang", lang, "--out", out)
    return out


def _made(path: str) -> Path:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    return Path(path)
