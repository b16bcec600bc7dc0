"""Quickstart: train on the built-in graph, evaluate on held-out names, plot, save."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from xadapt import report as reports
from xadapt.backbones.bases import resolve as resolve_base
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.config.recipe import Recipe
from xadapt.core.errors import UserError
from xadapt.core.output_files import require_output
from xadapt.data.loading.records import Source
from xadapt.data.readers.cldr_graph import resolve
from xadapt.evaluation.comparison import Result
from xadapt.evaluation.systems import DIRECTIONS
from xadapt.evaluation.tfidf import NAME as TFIDF
from xadapt.hub.manifest import Manifest, without_local_paths
from xadapt.hub.opening import tensor_path
from xadapt.hub.snippets import FOLDER, pooling_code, snippets
from xadapt.inference.open_module import open_module
from xadapt.languages.tags import display_name
from xadapt.pipelines import run_folder as out_folder
from xadapt.pipelines.outcome import Verify
from xadapt.pipelines.train import TrainingJob
from xadapt.pipelines.train import train as run_one
from xadapt.report import Example, Heat, LanguageResult, Report, Score
from xadapt.tasks.alignment import BASE, BOTH, LANGUAGE, AlignmentEvaluator
from xadapt.tasks.entities import EntityRetrieval, graph_labels, measure_name
from xadapt.training.metrics_log import read_metrics

Reporter = Callable[[str], None]
PAGE, PICTURE, TITLE = "report.html", "scores.png", "xadapt quickstart"
OWN, OWN_BYTES = f"<title>{TITLE}</title>".encode(), 100_000
HEAT = 16
EXAMPLES = 8
LONGER = ("t5", "mt5", "m2m_100")  # encoder-decoders: adapters runs both halves


@dataclass(frozen=True)
class Outcome:
    """The outcome of one language of a quickstart.

    Attributes:
        lang: Its tag.
        folder: The folder of its module.
        manifest: The module's manifest.
        result: Entity alignment of held-out names.
        shown: The same result for the page.
        reused: Whether the module is from an earlier quickstart.
        seconds: Time for this language, training and evaluation.
    """

    lang: str
    folder: Path
    manifest: Manifest
    result: Result
    shown: LanguageResult
    reused: bool
    seconds: float


def require_languages(tags: Sequence[str]) -> None:
    """Refuse languages of which the graph has no names, before anything is trained.

    Raises:
        UserError: If the graph lacks a language, or a language is English, the pivot language.
    """
    for tag in tags:
        if tag == "en":
            raise UserError("English is the side others are aligned to", where="--lang")
        resolve(tag)


def require_own_page(out: Path) -> None:
    """Refuse a folder with a page or picture of another program, or that can't be written.

    Raises:
        UserError: If the folder is refused. No file is written then.
    """
    page, picture = out / PAGE, out / PICTURE
    own = page.is_file() and OWN in page.read_bytes()[:OWN_BYTES]
    for path in (page, picture):
        todo = "Quickstart did not write it: name another folder with --out"
        require_output(path, own=lambda _: own, todo=todo)


def run_language(
    recipe: Recipe, base: str, lang: str, out: Path, verify: Verify, report: Reporter
) -> Outcome:
    """Train the module of one language, or reuse an existing module, and evaluate it.

    Raises:
        UserError: If the graph has no such language, or the base can't be loaded.
    """
    began = time.monotonic()
    folder = out / lang
    if out_folder.has_checkpoint(folder / out_folder.STATE):
        report(f"{lang}: going on with the interrupted run in {folder}")
    trained = run_one(
        recipe, TrainingJob(base, (Source("cldr", lang),), folder, resume=True), verify, report
    )
    if trained.reused:
        report(f"{lang}: reusing the module in {folder} (remove it to train again)")
    encoder = Encoder.from_pretrained(base, dtype=recipe.dtype)
    module, manifest = open_module(str(folder), encoder)
    result, shown = _judge(encoder, module, lang)
    seconds = time.monotonic() - began
    return Outcome(lang, folder, manifest, result, shown, trained.reused, seconds)


def page(outcomes: Sequence[Outcome], base: str, command: str) -> Report:
    """Make the page of a quickstart."""
    first = outcomes[0]
    rows = [
        row
        for row in read_metrics(first.folder / "run" / "metrics.jsonl")
        if "loss" in row or "dev" in row
    ]
    curves: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        for key, value in row.items():
            if key.startswith("loss/"):
                curves.setdefault(key.removeprefix("loss/"), []).append((row["step"], value))
    dev = [(row["step"], row["dev"]["score"]) for row in rows if "dev" in row]
    return Report(
        title=TITLE,
        facts=_facts(outcomes, base),
        languages=[outcome.shown for outcome in outcomes],
        curves=curves,
        dev=dev,
        snippet=snippet(first.manifest).replace(FOLDER, first.folder.name),
        notes=_notes(first),
        command=command,
    )


def snippet(manifest: Manifest) -> str:
    """Return the code that loads a module without xadapt, in the first library that supports it."""
    return next(iter(snippets(manifest).values()), "")


def loading_lines(manifest: Manifest, base: str, folder: str) -> list[str]:
    """Return the shortest code that loads a module with adapters, from the current folder.

    Args:
        manifest: The module's manifest.
        base: The base as the user named it. A package or folder becomes a path on this machine,
            so the lines are for the terminal and never for a file.
        folder: The module's folder.

    Returns:
        Five lines that load base and module; after an empty line, the lines that compute vectors.
        If adapters doesn't support the module, or its forward is not the usual one, the whole
        snippet of the first library that supports the module.
    """
    source = resolve_base(base)
    base = source.location
    loader = manifest.loaders.get("adapters")
    if loader is None or not loader.written or manifest.base.model_type in LONGER:
        lines = snippet(manifest).replace(FOLDER, folder).splitlines()
        return [f"base = {base!r}" if line.startswith("base = ") else line for line in lines]
    texts = [manifest.prompt + text for text in ("A sentence.", "Another, longer one.")]
    if manifest.pooling.get("lower"):
        texts = [text.lower() for text in texts]
    return [
        "from adapters import AutoAdapterModel",
        "from transformers import AutoTokenizer",
        f"model = AutoAdapterModel.from_pretrained({base!r})",
        f"model.load_adapter({folder!r}, set_active=True)",
        f"tokenizer = AutoTokenizer.from_pretrained({base!r})",
        "",
        "import torch",
        "model.active_head = None",
        *([f"base = {base!r}"] if manifest.pooling.get("dense") else []),
        f"batch = tokenizer({texts!r}, padding=True, return_tensors='pt')",
        "states = model.eval()(**batch).last_hidden_state",
        *pooling_code(manifest),
    ]


def _judge(encoder: Encoder, module: nn.Module, lang: str) -> tuple[Result, LanguageResult]:
    labels, others = graph_labels(lang, "en", "all")
    evaluator = AlignmentEvaluator(encoder)
    result = EntityRetrieval().compare_modules(
        evaluator, labels, module, controls=True, others=others
    )
    side = evaluator.through(module)
    texts, pivots = [row.text for row in labels], [row.pivot for row in labels]
    pool = list(dict.fromkeys(pivots + [row.pivot for row in others]))
    bare, after, names = evaluator.bare(texts), side(texts), evaluator.bare(pool)
    drawn, told = _spread(len(texts), HEAT), _spread(len(texts), EXAMPLES)
    right = evaluator.bare([pivots[i] for i in drawn])
    shown = LanguageResult(
        lang=lang,
        name=display_name(lang),
        measure="hits@1",
        pool=result.facts["pool_size"]["to_pivot"],
        scores=_scores(result),
        item="name",
        asked="entities never seen",
        heat=Heat(
            [texts[i] for i in drawn],
            [pivots[i] for i in drawn],
            _cosines(bare[drawn], right),
            _cosines(after[drawn], right),
        ),
        examples=[
            Example(texts[i], _best(bare[i], names, pool), _best(after[i], names, pool), pivots[i])
            for i in told
        ],
    )
    return result, shown


def _spread(count: int, size: int) -> list[int]:
    """Choose at most ``size`` positions, evenly over ``count``; neighbours are alike in kind."""
    return sorted({i * count // size for i in range(size)}) if count else []


def _scores(result: Result) -> list[Score]:
    names = {BASE: reports.BASE, TFIDF: reports.TFIDF, LANGUAGE: reports.LANGUAGE_SIDE}
    names[BOTH] = reports.BOTH_SIDES
    return [
        Score(shown, way, hit.mean, hit.low, hit.high)
        for name, shown in names.items()
        for way in DIRECTIONS
        for hit in (result[name].scores[measure_name("hits@1", way)],)
    ]


def _cosines(left: Any, right: Any) -> list[list[float]]:
    left = left / np.linalg.norm(left, axis=1, keepdims=True)
    right = right / np.linalg.norm(right, axis=1, keepdims=True)
    return [[float(v) for v in row] for row in left @ right.T]


def _best(vector: Any, names: Any, pool: list[str]) -> str:
    return pool[int((names @ vector / np.linalg.norm(names, axis=1)).argmax())]


def _facts(outcomes: Sequence[Outcome], base: str) -> list[tuple[str, str]]:
    first = outcomes[0].manifest
    size = tensor_path(outcomes[0].folder).stat().st_size
    rows = ", ".join(f"{o.lang} {o.manifest.data[0].rows}" for o in outcomes)
    return [
        ("base", first.base.id or str(without_local_paths(base))),
        ("module", f"{first.module.kind}, {size / 1e6:.1f} MB a language"),
        ("trained on", f"names of the CLDR graph: {rows}"),
        ("judged on", "names of entities that were never seen, among all names of the graph"),
        ("seconds", ", ".join(f"{o.lang} {o.seconds:.0f}" for o in outcomes)),
    ]


def _notes(outcome: Outcome) -> list[str]:
    return [
        "Names that are the same in both languages are left out of the test: they need no module.",
        "Intervals are bootstrap intervals over the names, from one training seed.",
        "A module trained on names says little about sentences: train on parallel text for those.",
        f"The curves are those of {display_name(outcome.lang)}.",
    ]
