"""Quickstart: train on built-in data, evaluate on what was held out, plot, save."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xadapt.backbones.bases import resolve as resolve_base
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.config.recipe import Recipe
from xadapt.core.errors import missing_extra
from xadapt.core.output_files import require_output
from xadapt.data.loading.records import Source
from xadapt.evaluation.comparison import Result
from xadapt.hub.manifest import Manifest, without_local_paths
from xadapt.hub.opening import tensor_path
from xadapt.hub.snippets import FOLDER, pooling_code, snippets
from xadapt.inference.open_module import open_module
from xadapt.languages.tags import display_name
from xadapt.pipelines import run_folder as out_folder
from xadapt.pipelines.outcome import Verify
from xadapt.pipelines.quickstart_acts import Act
from xadapt.pipelines.train import TrainingJob
from xadapt.pipelines.train import train as run_one
from xadapt.report import LanguageResult, Report
from xadapt.training.history import History
from xadapt.training.metrics_log import FILE as METRICS

Reporter = Callable[[str], None]
PAGE, PICTURE, TITLE = "report.html", "scores.png", "xadapt quickstart"
OWN, OWN_BYTES = f"<title>{TITLE}</title>".encode(), 100_000
LONGER = ("t5", "mt5", "m2m_100")  # encoder-decoders: adapters runs both halves


@dataclass(frozen=True)
class Outcome:
    """The outcome of one language of a quickstart.

    Attributes:
        lang: Its tag.
        folder: The folder of its module.
        manifest: The module's manifest.
        result: The evaluation on held-out data.
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


def base_of(act: Act, base: str | None) -> str:
    """Return the base to train on: as named, else that of the part.

    Raises:
        UserError: If there is no such base, or the part's own base is in a package that is not
            installed.
    """
    if base is not None:
        return resolve_base(base).spec
    if act.package is not None and importlib.util.find_spec(act.base[8:].split("/")[0]) is None:
        raise missing_extra(*act.package)
    return act.base


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


def job(act: Act, base: str, lang: str, out: Path) -> TrainingJob:
    """Return the training job of one language, which goes on with an earlier one."""
    base_id = act.base_id if base == act.base else None
    sources = (Source(act.source, lang),)
    return TrainingJob(base, sources, out / lang, resume=True, base_id=base_id)


def run_language(
    act: Act, recipe: Recipe, base: str, lang: str, out: Path, verify: Verify, report: Reporter
) -> Outcome:
    """Train the module of one language, or reuse an existing module, and evaluate it.

    Call `xadapt.pipelines.train.check` with the jobs of all languages before the first run.

    Args:
        act: The part of the quickstart.
        recipe: Its recipe, with the user's changes.
        base: The base.
        lang: The language.
        out: The folder for all languages.
        verify: See `xadapt.pipelines.train.train`.
        report: Receives the progress, a line at a time.

    Raises:
        UserError: If there are no data in the language, or the base can't be loaded.
    """
    began = time.monotonic()
    folder = out / lang
    if out_folder.has_checkpoint(folder / out_folder.STATE):
        report(f"{lang}: going on with the interrupted run in {folder}")

    def compare(*given: Any) -> Any:
        report(f"{lang}: loading the module in other libraries, to compare")
        return verify(*given)

    trained = run_one(recipe, job(act, base, lang, out), compare, report)
    if trained.reused:
        report(f"{lang}: reusing the module in {folder} (remove it to train again)")
    encoder = Encoder.from_pretrained(base, dtype=recipe.dtype)
    module, manifest = open_module(str(folder), encoder)
    report(f"{lang}: evaluating on {act.judged_on}")
    result, shown = act.judge(encoder, module, lang)
    seconds = time.monotonic() - began
    return Outcome(lang, folder, manifest, result, shown, trained.reused, seconds)


def page(act: Act, outcomes: Sequence[Outcome], base: str, command: str) -> Report:
    """Make the page of a quickstart."""
    first = outcomes[0]
    history = History.read(first.folder / out_folder.STATE / METRICS)
    dev = [(row["step"], row["dev/score"]) for row in history.evaluations]
    notes = [*(act.base_notes if base == act.base else ()), *act.notes]
    return Report(
        title=TITLE,
        lead=act.lead if base == act.base else "",
        facts=_facts(act, outcomes, base),
        languages=[outcome.shown for outcome in outcomes],
        curves=history.curves,
        dev=dev,
        snippet=snippet(first.manifest).replace(FOLDER, _shareable(first.folder)),
        steps=act.steps,
        notes=[*notes, f"The curves are those of {display_name(first.lang)}."],
        command=command,
    )


def snippet(manifest: Manifest) -> str:
    """Return the code that loads a module without xadapt.

    The library is the first one that was compared with xadapt on this machine, else the first one
    that supports the module.
    """
    known = snippets(manifest)
    tried = {name for name, loader in manifest.loaders.items() if loader.status == "verified"}
    best = [code for name, code in known.items() if name in tried]
    return next(iter([*best, *known.values()]), "")


def loading_lines(manifest: Manifest, base: str, folder: str) -> list[str]:
    """Return the shortest code that loads a module with adapters, from the current folder.

    Args:
        manifest: The module's manifest.
        base: The base as the user named it. A package or folder becomes a path on this machine,
            so the lines are for the terminal and never for a file.
        folder: The module's folder.

    Returns:
        Five lines that load base and module; after an empty line, the lines that compute vectors.
        If the module was not compared in adapters here, or its forward is not the usual one,
        `snippet`.
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


def _shareable(folder: Path) -> str:
    """Return a folder as it was typed, without the folders of this machine."""
    return folder.name if folder.is_absolute() else folder.as_posix()


def _facts(act: Act, outcomes: Sequence[Outcome], base: str) -> list[tuple[str, str]]:
    first = outcomes[0].manifest
    size = tensor_path(outcomes[0].folder).stat().st_size
    rows = ", ".join(f"{o.shown.name} {o.manifest.data[0].rows:,}" for o in outcomes)
    return [
        ("base", first.base.id or str(without_local_paths(base))),
        ("module", f"{first.module.kind}, {size / 1e6:.1f} MB a language"),
        ("trained on", f"{act.trained_on}: {rows}"),
        ("evaluated on", act.judged_on),
        ("seconds", ", ".join(f"{o.shown.name} {o.seconds:.0f}" for o in outcomes)),
    ]
