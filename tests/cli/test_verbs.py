from __future__ import annotations

import shlex
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer
from foreign_adapters import peft_folder
from maps.spaces import rotated
from tiny_commands import QUICK, Place, good, write_tsv, xadapt
from tiny_graphs import DBP5L, write
from tiny_heads import published
from tiny_seq2seq import tiny_seq2seq_folder
from tiny_training import pairs

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.cli.app import app
from xadapt.cli.verbs import PANELS, verbs
from xadapt.core import registry
from xadapt.maps.vector_files import write_vectors

EXAMPLES = [(verb.name, line) for verb in verbs() for line in verb.examples]
TASKS = registry.names("tasks")
ROOT: Any = typer.main.get_command(app)


def words(example: str) -> list[str]:
    """The arguments of an example, as a shell gives them."""
    first, *rest = shlex.split(example.replace("\\\n", " "))
    assert first == "xadapt"
    return rest


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command below one, by its words."""
    context = command.make_context("xadapt", [], resilient_parsing=True)
    for name in command.list_commands(context):
        own = command.get_command(context, name)
        if hasattr(own, "list_commands"):
            yield from commands(own, (*path, name))
        yield (*path, name), own


def test_every_verb_has_a_panel_and_two_examples() -> None:
    assert {verb.panel for verb in verbs()} <= set(PANELS)
    assert [PANELS.index(verb.panel) for verb in verbs()] == sorted(
        PANELS.index(verb.panel) for verb in verbs()
    )
    for verb in verbs():
        assert len(verb.examples) == 2
        assert all(words(line)[0] == verb.name for line in verb.examples)
        assert all(len(part) <= 78 for line in verb.examples for part in line.split("\n"))


def test_help_shows_the_panels_that_have_a_verb() -> None:
    out = good("--help").out
    for panel in PANELS:
        assert (f"─ {panel} ─" in out) == any(verb.panel == panel for verb in verbs())
    assert all(verb.name in out for verb in verbs())


@pytest.mark.parametrize("verb", [verb.name for verb in verbs()])
def test_help_ends_with_the_examples(verb: str) -> None:
    out = good(verb, "--help").out
    assert good(verb, "-h").out == out
    shown = [line.strip() for line in out.partition("Examples:")[2].splitlines() if line.strip()]
    examples = [line for name, example in EXAMPLES if name == verb for line in example.split("\n")]
    assert shown == [line.strip() for line in examples]


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_two_examples_that_parse(task: str) -> None:
    out = good("evaluate", task, "--help").out
    _, found, shown = out.partition("Examples:")
    examples = ["xadapt " + one for one in shown.replace("\\", "").split("xadapt ")[1:]]
    assert found and len(examples) == 2
    for example in examples:
        parse(words(" ".join(example.split())))


def parse(arguments: list[str]) -> None:
    """Parse arguments as the app does, and run nothing."""
    name, command, rest = ROOT.resolve_command(ROOT.make_context("xadapt", [name_of()]), arguments)
    while hasattr(command, "resolve_command"):
        context = command.make_context(name, rest[:1])
        name, command, rest = command.resolve_command(context, rest)
    command.make_context(name, rest)


def name_of() -> str:
    return verbs()[0].name


@pytest.mark.parametrize(("verb", "example"), EXAMPLES)
def test_every_example_parses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, example: str
) -> None:
    monkeypatch.chdir(tmp_path)
    parse(words(example))


def test_every_option_says_how_several_values_are_given() -> None:
    found = 0
    for path, command in commands(ROOT):
        context = command.make_context(path[-1], [], resilient_parsing=True)
        for option in command.get_params(context):
            if getattr(option, "multiple", False) and not option.hidden:
                found += 1
                assert "repeat the option" in option.help, (path, option.name)
    assert found > 15


def test_every_command_and_option_is_described_in_sentences() -> None:
    for path, command in commands(ROOT):
        assert command.help.endswith("."), path
        context = command.make_context(path[-1], [], resilient_parsing=True)
        for option in command.get_params(context):
            if not getattr(option, "hidden", False):
                assert option.help.endswith("."), (path, option.name, option.help)


CONSUMED = {
    "terms.tsv": "C1\theadache\nC2\tfever\n",
    "umls.jsonl": '{"concept_id": "C1", "canonical_name": "dolor de cabeza"}\n',
    "notes.tsv": "kichwa\tC1\nhoma\tC2\n",
    "brat/a.ann": "T1\tDISO 0 6\tfevers\nN1\tReference T1 UMLS:C2\tfevers\n",
    "facts.tsv": "id\tcountry\tcases\nr1\tKenya\tmany\nr2\tChad\tfew\n",
    "claims.tsv": "t1\tKenya has many cases\n",
    "found.tsv": "t1\tr1\n",
}
"""The files of names of concepts, mentions, rows and texts."""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A folder with all files that examples name, two modules, and a tiny base for mini."""
    folder = tmp_path_factory.mktemp("examples")
    place = Place(folder)
    write_tsv(folder / "test.tsv", pairs(30, seed=4))
    scored = [f"{p.pivot}\t{p.text}\t{n % 5}" for n, p in enumerate(pairs(60))]
    (folder / "scored.tsv").write_text("\n".join(scored), encoding="utf-8")
    (folder / "texts.txt").write_text("\n".join(p.text for p in pairs(12)), encoding="utf-8")
    news = "\n".join(p.text for p in pairs(40))
    (folder / "news.txt").write_text(news, encoding="utf-8")
    rows = {"wiki": pairs(9), "asked": pairs(3, seed=1), "new": pairs(3, seed=2), "right": pairs(3)}
    for name, own in rows.items():
        texts = [str(n) if name == "right" else row.pivot for n, row in enumerate(own)]
        lines = "".join(f"{n}\t{text}\n" for n, text in enumerate(texts))
        (folder / f"{name}.tsv").write_text(lines, encoding="utf-8")
    write(folder / "dbp5l", DBP5L)
    write(folder, CONSUMED)
    if find_spec("peft"):
        peft_folder(folder / "peft-lora", place.base)
    source, target, _ = rotated(words=60, dim=6)
    write_vectors(folder / "de.vec", source)
    write_vectors(folder / "en.vec", target)
    (folder / "de-en.txt").write_text("".join(f"s{n} t{n}\n" for n in range(60)), encoding="utf-8")
    vectors = ("--src-emb", folder / "de.vec", "--tgt-emb", folder / "en.vec")
    good("map", *vectors, "--dico-train", folder / "de-en.txt", "--out", folder / "de-map")
    for lang in ("sw", "de"):
        given = ("--base", place.base, "--data", place.data, "--lang", lang, *QUICK)
        good("train", "translation_ranking", *given, "--out", folder / lang)
    encoder = Encoder.from_pretrained(str(place.base))
    published(folder / "topics", encoder, "classification")
    published(folder / "nli", encoder, "pair_classification")
    published(folder / "filter", encoder, "text_rating")
    tiny_seq2seq_folder(folder / "tagger-t5")
    (folder / "ner.conll").write_text("Ada B-PER\nmet O\n\nBo B-PER\n", encoding="utf-8")
    (folder / "ner_sw.txt").write_text("alikutana na Ada\nBo\n", encoding="utf-8")
    (folder / "ner.links").write_text("0-2 1-0\n0-0\n", encoding="utf-8")
    (folder / "words.conll").write_text("Ada\nmet\nBo\n\nDar\nes\nSalaam\n", encoding="utf-8")
    return place


ONLINE = (
    "--translator",
    "--llm",
    "xadapt publish sw --repo my-name/swahili --private",
    "--base sentence-transformers/all",
)
NEEDS = {
    "export ": "optimum",
    "match ": "gensim",
    "lancedb:": "lancedb",
    "qdrant:": "qdrant_client",
}
"""By a part of an example, the package that it needs."""
RUN = [
    line
    for verb, line in EXAMPLES
    if verb not in ("quickstart", "tune", "serve")
    and not any(word in line for word in ("cldr", *ONLINE))
]


@pytest.mark.parametrize("example", RUN)
def test_examples_run(
    here: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, example: str
) -> None:
    folder = here.data.parent
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XADAPT_CACHE", str(tmp_path / "cache"))
    if "peft-lora" in example:
        pytest.importorskip("peft")
    needed = [own for word, own in NEEDS.items() if word in example]
    for package in needed:
        pytest.importorskip(package)
    if words(example)[0] in ("retrieve", "store") and not Path(index := words(example)[1]).exists():
        makes = [one for one in RUN if f"--out {index}" in one]  # it ran in another process
        for one in makes:
            run_example(here, one)
    run_example(here, example)


def run_example(here: Place, example: str) -> None:
    given = [str(here.base) if word == "mini" else word for word in words(example)]
    if given[0] == "train":
        given += ["--set", "data.train.dev=10", "--set", "module.rank=2"]
    done = xadapt(*given)
    assert done.code == 0, done.err
