"""The verbs of xadapt in Python, the same as on the command line.

```python
import xadapt

trained = xadapt.train("translation_ranking", base=BASE, data="pairs.tsv", lang="sw", out="sw")
result = xadapt.evaluate("bitext", base=BASE, data="test.tsv", module="sw", controls=True)
vectors = xadapt.load(BASE, "sw").encode(["Habari za asubuhi"], ["sw"])
```
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xadapt import assess, bridges, composing, few_shot, languages, measured_stand_in, registry, run
from xadapt.adapted import Adapted
from xadapt.assess_heads import evaluate_classification, evaluate_qa
from xadapt.assess_open_ie import evaluate_open_ie
from xadapt.assess_sts import evaluate_sts
from xadapt.assess_tagging import evaluate_tagging
from xadapt.backbones.encoder import Encoder
from xadapt.compose.values import Composition
from xadapt.errors import UserError
from xadapt.evaluate import bitext, entities
from xadapt.files import require_empty, write_json
from xadapt.hub.opening import open_folder
from xadapt.recipe import Recipe
from xadapt.recipe_file import find_recipe, load_recipe
from xadapt.records import ParallelPair
from xadapt.records_in import Source, read_pairs

__all__ = [
    "compose", "encode", "evaluate", "evaluate_classification", "evaluate_open_ie",
    "evaluate_qa", "evaluate_sts", "evaluate_tagging", "load", "train",
]  # fmt: skip
TASKS = ("bitext", "entities")
POOLS = ("all", "test")


def load(
    base: str,
    *folders: str | Path,
    compose: str | Composition = None,
    dtype: str = "auto",
    device: str = "auto",
) -> Adapted:
    """A base with any number of modules, ready to encode.

    Args:
        base: Hub id, folder or ``package:NAME/SUBDIR``.
        folders: Folders of modules trained on this base, each for other languages; text
            ``NAME=FOLDER`` gives one a name.
        compose: Which of them act on a row, such as ``"mix(a:.7, b:.3) + ner"``; without, each
            acts on rows of its languages.
        dtype: Of the base's weights: ``auto``, ``float32``, ``bfloat16``, ``int8`` or ``nf4``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises:
        UserError: A folder is no module, or belongs to another base, or it is not clear which
            module is for a language.
    """
    return Adapted.load(base, *map(str, folders), compose=compose, dtype=dtype, device=device)


def encode(
    texts: Sequence[str],
    *,
    base: str,
    modules: Sequence[str | Path] = (),
    languages: Sequence[str | None] | None = None,
    compose: str | Composition = None,
    choose_by: str | Path | None = None,
    dtype: str = "auto",
) -> NDArray[np.float32]:
    """Vectors of texts, each through the module of its language; to encode more, `load` once.

    Args:
        texts: Any number of texts.
        base: Hub id, folder or ``package:NAME/SUBDIR``.
        modules: Folders of modules trained on this base.
        languages: A tag for each text; ``None`` for a row means the bare base. Without the
            list, the one module there is acts on every row.
        compose: A composition of the modules, as for `load`.
        choose_by: Text of a language that has no module: what does best on it stands in, see
            `xadapt.measured_stand_in`.
        dtype: Of the base's weights: ``auto``, ``float32``, ``bfloat16``, ``int8`` or ``nf4``.

    Returns:
        ``(n, dim)``, fp32.

    Raises:
        UserError: As for `load`, or the two lists differ in length.
    """
    adapted = load(base, *modules, compose=compose, dtype=dtype)
    if choose_by is not None:
        measured_stand_in.choose_by(adapted, languages or [], str(choose_by))
    return adapted.encode(texts, languages)


def compose(
    expression: str | Composition,
    *,
    base: str,
    out: str | Path,
    modules: Sequence[str | Path] = (),
    rank: int | None = None,
    apart: bool = False,
    merged: bool = False,
    averaged: bool = False,
    setup: bool = False,
    examples: str | Path | None = None,
    lang: str | None = None,
    budget: int = few_shot.BUDGET,
    say: Callable[[str], None] = lambda _: None,
) -> few_shot.Found | None:
    """Make one folder of modules that act together: a plain LoRA where that is exact.

    Args:
        expression: A composition or its text, such as ``"mix(a:.7, b:.3)"``; names are folders.
        base: Hub id, folder, ``package:NAME/SUBDIR`` or ``mini``.
        out: Folder to make.
        modules: Folders of modules; text ``NAME=FOLDER`` gives one a name.
        rank: Cut the one LoRA to this rank.
        apart: Keep LoRAs apart that could be one.
        merged: Write the whole base with the LoRA in its weights.
        averaged: Average the parameters instead, which gives one module of any kind.
        setup: Write an adapter setup, which adapters loads whole.
        examples: A few labelled examples, on which the weights of the one mixture in the
            expression are searched; see `xadapt.few_shot`.
        lang: Language of the examples.
        budget: Sets of weights that are tried.
        say: Told what is written.

    Returns:
        What the search found, if there was one.

    Raises:
        UserError: It can't be composed; nothing is left behind.
    """
    folders = [str(folder) for folder in modules]
    found = None
    if examples is not None:
        require_empty(out)
        found = few_shot.few_shot(
            expression, base=base, folders=folders, examples=str(examples), lang=lang, budget=budget
        )
        expression = found.composition
    composing.compose(
        expression,
        base=base,
        folders=folders,
        out=Path(out),
        verify=bridges.compare_loaders,
        rank=rank,
        apart=apart,
        merged=merged,
        averaged=averaged,
        setup=setup,
        say=say,
    )
    if found is not None:
        write_json(Path(out) / few_shot.FILE, found.to_dict())
    return found


def train(
    recipe: str | Path | Recipe,
    *,
    base: str,
    data: str | Path,
    lang: str,
    out: str | Path,
    settings: Sequence[str] = (),
    dev: str | Path | None = None,
    pivot: str = "en",
    columns: str | None = None,
    controls: bool = False,
    resume: bool = False,
    compose: str | Sequence[str] = (),
    say: Callable[[str], None] = lambda _: None,
    show: bool = False,
) -> run.Trained:
    """Train one module and write its folder, with evidence and card.

    Args:
        recipe: A YAML file, the name of a shipped recipe, or a recipe.
        base: Hub id, folder or ``package:NAME/SUBDIR``.
        data: Parallel text: a file, ``cldr``, or ``hf:org/name``.
        lang: The language being adapted: BCP-47 or ISO 639-3.
        out: Folder to make.
        settings: Changes to a recipe that is named, such as ``train.epochs=3``.
        dev: Development pairs; without any they are taken from the data.
        pivot: The other side's language.
        columns: ``PIVOT,LANGUAGE`` as numbers from 1 or names.
        controls: Also train the twin on shuffled pairs.
        resume: Go on with an interrupted run.
        compose: What to train inside, over folders and ``self``, such as ``"runs/en + self"``;
            several take turns from step to step.
        say: Told what happens, a line at a time.
        show: Whether to show progress on stderr.

    Raises:
        UserError: Something that was given is wrong; nothing is left behind.
    """
    plan = recipe if isinstance(recipe, Recipe) else load_recipe(find_recipe(recipe), settings)
    tag = languages.normalise(lang)
    job = run.Job(
        base,
        (Source(str(data), tag, pivot, columns),),
        Path(out),
        (Source(str(dev), tag, pivot, columns),) if dev else (),
        resume,
        controls,
        show=show,
        compose=(compose,) if isinstance(compose, str) else tuple(compose),
    )
    return run.train(plan, job, bridges.compare_loaders, say)


def evaluate(
    task: Literal["bitext", "entities"],
    *,
    base: str,
    data: str | Path = "cldr",
    module: str | Path | None = None,
    lang: str | None = None,
    pivot: str = "en",
    columns: str | None = None,
    file_format: str | None = None,
    pool: str = "all",
    controls: bool = False,
    dtype: str = "auto",
    say: Callable[[str], None] = lambda _: None,
) -> bitext.Result | entities.Result:
    """Measure a base, and a module beside it.

    Args:
        task: ``bitext`` looks sentences up, ``entities`` names.
        base: Hub id, folder or ``package:NAME/SUBDIR``.
        data: Parallel text the module has not seen; for entities also ``cldr``.
        module: Folder of a module.
        lang: Language of the texts; without, the module's.
        pivot: The other side's language.
        columns: ``PIVOT,LANGUAGE`` as numbers from 1 or names.
        file_format: Name of the file format, if the name hides it.
        pool: For ``cldr``: ``all`` looks up among all names, ``test`` among the test entities'.
        controls: Add TF-IDF, and the shuffled-pairs twin if it was trained.
        dtype: Of the base's weights: ``auto``, ``float32``, ``bfloat16``, ``int8`` or ``nf4``.
        say: Told what is missing, a line at a time.

    Raises:
        UserError: Something that was given is wrong.
    """
    if task not in TASKS:
        raise UserError(registry.unknown("task", task, TASKS))
    if pool not in POOLS:
        raise UserError(registry.unknown("pool", pool, POOLS))
    tag, pivot = language_of(lang, module), languages.normalise(pivot)
    pairs: list[ParallelPair] = []
    labels: assess.Labels = []
    others: assess.Labels = []
    if task == "entities" and str(data) == "cldr":
        labels, others = assess.graph_labels(tag, pivot, pool)
    else:
        pairs = read_pairs(Source(str(data), tag, pivot, columns, file_format))
        labels = [(str(i), p.text, p.pivot) for i, p in enumerate(pairs)]
    encoder = Encoder.from_pretrained(base, dtype=dtype)
    trained, twin = assess.open_both(None if module is None else str(module), encoder, controls)
    if controls and trained is not None and twin is None:
        say("no shuffled-pairs twin beside this module: train with --controls makes one")
    bench = assess.Bench(encoder)
    if task == "bitext":
        return assess.judge_bitext(bench, pairs, trained, twin, controls=controls)
    return assess.judge_entities(bench, labels, others, trained, twin, controls=controls)


def language_of(lang: str | None, module: str | Path | None) -> str:
    """The language of the texts: as named, else the one of the module.

    Raises:
        UserError: It is not named, and there is no module or one for several languages.
    """
    if lang is not None:
        return languages.normalise(lang)
    if module is None:
        raise UserError("the language of the texts is not known", todo="Name it with --lang")
    known = open_folder(module)[0].languages
    if len(known) != 1:
        raise UserError(
            f"the module is for {', '.join(known)}",
            where=str(module),
            todo="Choose one with --lang",
        )
    return known[0]
