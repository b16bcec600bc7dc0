"""The verbs of xadapt in Python, the same as on the command line.

```python
import xadapt

trained = xadapt.train("translation_ranking", base=BASE, data="pairs.tsv", lang="sw", out="sw")
result = xadapt.evaluate("bitext", base=BASE, data="test.tsv", module="sw", controls=True)
vectors = xadapt.load(BASE, "sw").encode(["Habari za asubuhi"], ["sw"])
```

The file is long because the arguments of every function are documented here.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from xadapt import integrations
from xadapt.backbones.seq2seq.tag_processor import TagLogitsProcessor
from xadapt.composition.values import Composition
from xadapt.config.recipe import Recipe
from xadapt.config.recipe_file import Settings, changed_recipe, find_recipe
from xadapt.config.recipe_options import TrainOptions
from xadapt.core.errors import UserError
from xadapt.core.files import require_empty, write_json
from xadapt.core.folder_lock import is_main, one_writer
from xadapt.core.notebook import interactive, write_line
from xadapt.core.sequences import as_paths, as_strings
from xadapt.data.loading.inputs import ColumnNames, languages_of, sources_of
from xadapt.data.loading.transform_chain import Callables
from xadapt.evaluation.comparison import Result
from xadapt.hub.installed import installed_modules
from xadapt.hub.integrity import allowing_modified
from xadapt.hub.loaders import loaders_of
from xadapt.hub.module_index import index_modules
from xadapt.hub.search import search
from xadapt.inference import measured_fallback
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.adapted_seq2seq import AdaptedSeq2Seq
from xadapt.inference.bulk.encoding import encode_shards
from xadapt.inference.passage_index import open_index, retrieve
from xadapt.inference.passage_indexing import index_passages
from xadapt.integrations.translators.protocol import Translator
from xadapt.maps.embedding_map import EmbeddingMap
from xadapt.pipelines import compose as composing
from xadapt.pipelines import import_module as importing
from xadapt.pipelines import train as run
from xadapt.pipelines import tune as tuning
from xadapt.pipelines import weight_search as few_shot
from xadapt.pipelines.align_words import align as align_words
from xadapt.pipelines.evidence import add_evidence
from xadapt.pipelines.kg_align import align_graphs
from xadapt.pipelines.kg_build import build_graph
from xadapt.pipelines.kg_complete import complete_graph
from xadapt.pipelines.kg_link import link_mentions
from xadapt.pipelines.kg_names import vote_names
from xadapt.pipelines.kg_structure import train_structure
from xadapt.pipelines.label import label
from xadapt.pipelines.map_run import map_embeddings
from xadapt.pipelines.match import match_texts
from xadapt.pipelines.profile import profile
from xadapt.pipelines.project import project
from xadapt.pipelines.project_relations import project_relations
from xadapt.pipelines.publish import publish
from xadapt.pipelines.rerun_evidence import rerun as rerun_evidence
from xadapt.pipelines.search_space import parameter_texts
from xadapt.pipelines.token_counts import count_tokens
from xadapt.pipelines.training_jobs import plan_jobs
from xadapt.pipelines.training_result import TrainingResult, TrainingResults
from xadapt.pipelines.translate import callables_of, translate
from xadapt.pipelines.tuning_result import TuningResult
from xadapt.pipelines.verify import verify
from xadapt.tasks.run_task import evaluate
from xadapt.training.callbacks import checked
from xadapt.training.trackers import tracker_names
from xadapt.vectors.shards import open_vectors

__all__ = [
    "AdaptedEncoder",
    "AdaptedSeq2Seq",
    "EmbeddingMap",
    "Recipe",
    "TagLogitsProcessor",
    "add_evidence",
    "align_graphs",
    "align_words",
    "build_graph",
    "complete_graph",
    "compose",
    "count_tokens",
    "encode",
    "encode_shards",
    "evaluate",
    "import_module",
    "index_modules",
    "index_passages",
    "installed_modules",
    "label",
    "link_mentions",
    "load",
    "load_seq2seq",
    "map_embeddings",
    "match_texts",
    "open_index",
    "open_vectors",
    "profile",
    "project",
    "project_relations",
    "publish",
    "rerun_evidence",
    "retrieve",
    "search",
    "train",
    "train_structure",
    "translate",
    "tune",
    "verify",
    "vote_names",
]


def load(
    base: str | None = None,
    *modules: str | Path,
    compose: str | Composition = None,
    dtype: str = "auto",
    device: str = "auto",
    allow_modified: bool = False,
    allow_base_mismatch: bool = False,
    show: bool | None = None,
) -> AdaptedEncoder:
    """Load a base with any number of modules, ready to encode: `AdaptedEncoder.from_pretrained`.

    Args:
        base: Hub id, folder, ``package:NAME/SUBDIR`` or ``mini``. It may be omitted where the
            first module names a base that can be found.
        modules: Modules trained on this base, each for other languages: folders, or Hub ids
            (``org/name`` or ``org/name@revision``); text ``NAME=FOLDER`` gives one a name.
        compose: The composition that acts on each row, such as ``"mix(a:.7, b:.3) + ner"``.
            Without a composition, each module acts on rows of its languages.
        dtype: Type of the base's weights: ``auto``, ``float32``, ``bfloat16``, ``int8``, ``nf4``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        allow_modified: Load folders that differ from the published version, with a notice. For
            other functions, use `xadapt.hub.integrity.allowing_modified`.
        allow_base_mismatch: Load modules of another base whose shapes fit, with a notice; what is
            saved states it. For other functions, use
            `xadapt.hub.base_mismatch.allowing_base_mismatch`.
        show: Whether to say on stderr what is loaded. ``None`` does so after two seconds, on a
            terminal or in a notebook.

    Raises:
        UserError: If a module is neither a folder nor on the Hub, differs from the published
            version, or belongs to another base, or if the module for a language is ambiguous.
    """
    return AdaptedEncoder.from_pretrained(
        base,
        *modules,
        compose=compose,
        dtype=dtype,
        device=device,
        allow_modified=allow_modified,
        allow_base_mismatch=allow_base_mismatch,
        show=show,
    )


def load_seq2seq(
    base: str,
    module: str | Path | None = None,
    *,
    dtype: str = "auto",
    device: str = "auto",
    allow_modified: bool = False,
) -> AdaptedSeq2Seq:
    """Load an encoder-decoder with a module: `AdaptedSeq2Seq.from_pretrained`.

    Args:
        base: Hub id, folder or ``package:NAME/SUBDIR`` of a T5, mT5, BART, mBART, M2M100, NLLB or
            Marian model.
        module: Folder of a module that was trained on it, its id on the Hub, or a composition of
            folders such as ``"domain + tasks"``.
        dtype: ``auto``, ``float32`` or ``bfloat16``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        allow_modified: As for `load`.

    Raises:
        UserError: If there is no such base or module, or the module was trained on another base.
    """
    return AdaptedSeq2Seq.from_pretrained(
        base, module, dtype=dtype, device=device, allow_modified=allow_modified
    )


def encode(
    texts: str | Sequence[str],
    *,
    base: str,
    modules: str | Path | Sequence[str | Path] = (),
    languages: str | Sequence[str | None] | None = None,
    compose: str | Composition = None,
    select_on: str | Path | None = None,
    windows: str | None = None,
    dtype: str = "auto",
    allow_modified: bool = False,
) -> NDArray[np.float32]:
    """Encode texts into vectors, each text with the module of its language.

    To encode more than once, call `load` once and use its result.

    Args:
        texts: Any number of texts, or one.
        base: Hub id, folder or ``package:NAME/SUBDIR``.
        modules: Folders of modules trained on this base.
        languages: A tag for each text, or one for all; ``None`` for a row means the bare base.
            Without this argument, the single module acts on every row.
        compose: A composition of the modules, as for `load`.
        select_on: Text of a language that has no module. The candidate that scores best on this
            text is the fallback for the language; see `xadapt.inference.measured_fallback`.
        windows: What becomes of a text longer than the base reads: ``first`` (cut, the default),
            ``mean`` or ``max``; see `xadapt.AdaptedEncoder.encode`.
        dtype: Type of the base's weights: ``auto``, ``float32``, ``bfloat16``, ``int8``, ``nf4``.
        allow_modified: As for `load`.

    Returns:
        ``(n, dim)``, fp32; ``(dim,)`` for one text that is given as a string.

    Raises:
        UserError: As for `load`, or if the two lists differ in length or an entry is not a text.
    """
    adapted = load(
        base, *as_paths(modules), compose=compose, dtype=dtype, allow_modified=allow_modified
    )
    if select_on is not None:
        given = [languages] if isinstance(languages, str) else languages or []
        measured_fallback.select_on(adapted, given, str(select_on))
    vectors: NDArray[np.float32] = adapted.encode(texts, languages, windows=windows)
    return vectors


def compose(
    expression: str | Composition,
    *,
    base: str,
    out: str | Path,
    modules: str | Path | Sequence[str | Path] = (),
    rank: int | None = None,
    no_merge: bool = False,
    merged: bool = False,
    averaged: bool = False,
    setup: bool = False,
    loaders: str | Sequence[str] | None = None,
    head: str | None = None,
    examples: str | Path | None = None,
    lang: str | None = None,
    budget: int = few_shot.BUDGET,
    report: Callable[[str], None] = lambda _: None,
) -> few_shot.Found | None:
    """Make one folder of modules that act together: a plain LoRA where that is exact.

    Args:
        expression: A composition or its text, such as ``"mix(a:.7, b:.3)"``; names are folders.
        base: Hub id, folder, ``package:NAME/SUBDIR`` or ``mini``.
        out: Folder to make.
        modules: Folders of modules; text ``NAME=FOLDER`` gives one a name.
        rank: Reduce the merged LoRA to this rank.
        no_merge: Do not merge LoRAs that could become one LoRA.
        merged: Write the whole base with the LoRA merged into its weights, and the task head.
        averaged: Average the parameters instead. The result is one module, of any kind.
        setup: Write an adapter setup, which the library adapters loads as a whole.
        loaders: Libraries whose files are written: names, ``all`` or ``none``; see
            `xadapt.hub.loaders`.
        head: The module whose task head is kept, if several have one.
        examples: A few labelled examples for a search of the weights of the one mixture in the
            expression; see `xadapt.pipelines.weight_search`.
        lang: Language of the examples.
        budget: Number of weight sets to try.
        report: Receives the report, a line at a time.

    Returns:
        The result of the search, or ``None`` without a search.

    Raises:
        UserError: If the expression can't be composed. No files are left behind.
    """
    folders = as_paths(modules)
    found = None
    if examples is not None:
        with one_writer(out):  # that it can be written, before the work
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
        verify=integrations.compare_loaders,
        rank=rank,
        no_merge=no_merge,
        merged=merged,
        averaged=averaged,
        setup=setup,
        loaders=loaders_of(loaders),
        head=head,
        report=report,
    )
    if found is not None:
        write_json(Path(out) / few_shot.FILE, found.to_dict())
    return found


def import_module(
    source: str | Path,
    *,
    base: str,
    out: str | Path,
    lang: str | Sequence[str] = (),
    labels: Sequence[str] | None = None,
    allow_pickle: bool = False,
    base_id: str | None = None,
    licence: str | None = None,
    loaders: str | Sequence[str] | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> importing.ImportedModule:
    """Import a LoRA of peft or an adapter of the library adapters as a module.

    It is taken exactly or refused, and compared with its own library where that is installed.

    Args:
        source: A folder with ``adapter_config.json``, or a Hub id (``org/name@revision``).
        base: The base that it was trained on.
        out: Folder to make.
        lang: The languages that it is for; without any, it acts on all rows.
        labels: The labels of a token classifier of peft, in order; peft does not save them.
        allow_pickle: Read pickled tensors, by a reader that runs no code of the file.
        base_id: Hub id of a base that is given as a folder or a package.
        licence: SPDX id of the adapter's licence.
        loaders: Libraries whose files are written, as for `train`.
        report: Receives the progress, a line at a time.

    Raises:
        UserError: If it can't be taken exactly. No files are left behind.
    """
    return importing.import_module(
        str(source),
        base=base,
        out=Path(out),
        verify=integrations.compare_loaders,
        compare=integrations.compare_origin,
        languages=as_strings(lang),
        labels=labels,
        allow_pickle=allow_pickle,
        base_id=base_id,
        licence=licence,
        loaders=loaders_of(loaders),
        report=report,
    )


def train(
    recipe: str | Path | Recipe | Mapping[str, Any],
    *,
    data: Any,
    out: str | Path,
    base: str | None = None,
    lang: str | Sequence[str] | None = None,
    dev: Any = None,
    pivot: str = "en",
    columns: ColumnNames = None,
    file_format: str | None = None,
    settings: Settings = (),
    joint: bool = False,
    seeds: int = 1,
    controls: bool = False,
    resume: bool = False,
    compose: str | Sequence[str] = (),
    callables: Callables | None = None,
    translator: str | Translator | None = None,
    companions: Mapping[str, str | Path] | None = None,
    base_id: str | None = None,
    licence: str | None = None,
    data_licence: str | None = None,
    data_ids: str | Sequence[str] = (),
    loaders: str | Sequence[str] | None = None,
    callbacks: Sequence[Any] = (),
    report_to: str | Sequence[str] | None = None,
    report: Callable[[str], None] | None = None,
    show: bool | None = None,
    allow_modified: bool = False,
    **options: Unpack[TrainOptions],
) -> TrainingResult | TrainingResults:
    """Train a module and write its folder, with evidence and card.

    Args:
        recipe: A YAML file, the name of a shipped recipe, a recipe, or a recipe as a dict.
        data: A path, ``cldr`` or ``hf:org/name``; a list of tuples, dicts or records; a dict of
            columns; a pandas or polars frame; a pyarrow table; a ``datasets.Dataset`` or
            ``IterableDataset``; or a dict of languages to any of these. Columns are found by
            their names, such as ``en`` and ``sw``, ``source`` and ``target``, ``text`` and
            ``label``, ``tokens`` and ``ner_tags``. A tuple of a pair begins with the pivot.
        out: Folder to make.
        base: Hub id, folder, ``package:NAME/SUBDIR`` or ``mini``; without it, the recipe's own.
        lang: The language being adapted, BCP-47 or ISO 639-3, or several. A dict of languages and
            records name their languages themselves.
        dev: Development data, as ``data``. Without any, they are taken from the data.
        pivot: The other side's language.
        columns: The columns to read, in the order of the fields: ``PIVOT,LANGUAGE`` for parallel
            text, as names or numbers from 1; or a dict of fields to columns.
        file_format: Name of the format, if the path does not show it.
        settings: Changes to the recipe: ``"train.epochs=3"``, several, or a nested dict.
        joint: Train one module for all languages. Without it, each language has a module in the
            folder ``out/LANGUAGE``.
        seeds: Train this many modules, with seeds 0, 1 and so on, in ``out/seed-0`` ...
        controls: Also train the shuffled-pairs control.
        resume: Continue an interrupted run.
        compose: The composition to train inside, over folders and ``self``, such as
            ``"runs/en + self"``. Several compositions take turns from step to step.
        callables: Functions that the recipe's transforms need, by name, such as
            ``{"translate": function}``; see `xadapt.data.transforms.protocol.CALLABLES`.
        translator: For a recipe that translates: ``apertium``, ``seq2seq:ORG/NAME``,
            ``file:TRANSLATIONS.tsv`` or an object, as for `translate`.
        companions: Modules of the recipe's companions by name, such as
            ``{"teacher": "runs/teacher"}``: folders, compositions of folders, or ``hf:org/name``.
        base_id: Hub id of a base that is given as a folder or a package.
        licence: SPDX id of the module's licence.
        data_licence: Licence of the data, for the card.
        data_ids: Ids on the Hub of the data sets that the data were made from, for the card.
        loaders: Libraries whose files are written: names, ``all`` or ``none``. By default all
            that can hold the module; see `xadapt.hub.loaders`.
        callbacks: Callbacks of transformers: objects or classes with methods such as ``on_log``;
            see `xadapt.training.callbacks`.
        report_to: ``tensorboard``, ``wandb``, ``trackio``, several of them, or ``none``.
        report: Receives the log, a line at a time. Without it, the log is shown with ``show``.
        show: Whether to show log and progress; by default where a person watches (a notebook,
            IPython, a terminal).
        allow_modified: Load module folders that differ from the published version, with a notice.
        options: Options of the recipe by name, such as ``epochs=2``, ``learning_rate=5e-4``,
            ``batch_size``, ``seed``, ``rank``, ``layers``, ``max_length``, ``warmup``; the table is
            `xadapt.config.recipe_options.TrainOptions`.

    Returns:
        The result, with ``module`` (the folder), ``history``, ``evidence`` and ``report()``. For
        several languages or seeds, a sequence of results.

    Raises:
        UserError: If an argument is wrong. No files are left behind.
    """
    plan, start = _plan_and_base(train, recipe, base, settings, options)
    tags = languages_of(data, lang, plan.data)
    form: dict[str, Any] = {"pivot": pivot, "columns": columns, "file_format": file_format}
    sources = sources_of(data, tags, plan.data, **form)
    held = [] if dev is None else sources_of(dev, tags, plan.data, where="dev", **form)
    shown = is_main() and (interactive() if show is None else show)
    say = report or (write_line if shown else lambda _: None)
    job = run.TrainingJob(
        start,
        (),
        Path(out),
        resume=resume,
        controls=controls,
        base_id=base_id,
        licence=licence,
        data_licence=data_licence,
        data_ids=tuple(as_strings(data_ids)),
        show=shown,
        compose=tuple(as_strings(compose)),
        callables={**callables_of(plan, translator), **(callables or {})},
        companions={name: str(module) for name, module in (companions or {}).items()},
        callbacks=tuple(checked(callbacks)),
        report_to=tuple(tracker_names(report_to)),
        loaders=loaders_of(loaders),
    )
    if seeds > 1 and options.get("seed") is not None:
        raise UserError("seeds and seed are both given", where="train", todo="Leave one out")
    jobs = plan_jobs(plan, job, sources, held, joint=joint, seeds=seeds)
    if shown:
        write_line(f"training {', '.join(tags)} on {start}: reading the data and the base")
    with allowing_modified(allow_modified):
        results = run.train_each(jobs, integrations.compare_loaders, say)
    return results[0] if len(results) == 1 else TrainingResults(results)


def tune(
    recipe: str | Path | Recipe | Mapping[str, Any],
    *,
    data: Any,
    out: str | Path,
    base: str | None = None,
    lang: str | Sequence[str] | None = None,
    trials: int = tuning.MANY,
    params: str | Sequence[str] | Mapping[str, Any] = (),
    dev: Any = None,
    pivot: str = "en",
    columns: ColumnNames = None,
    file_format: str | None = None,
    settings: Settings = (),
    resume: bool = False,
    compose: str | Sequence[str] = (),
    callables: Callables | None = None,
    companions: Mapping[str, str | Path] | None = None,
    base_id: str | None = None,
    licence: str | None = None,
    callbacks: Sequence[Any] = (),
    report: Callable[[str], None] | None = None,
    show: bool | None = None,
    allow_modified: bool = False,
    **options: Unpack[TrainOptions],
) -> TuningResult:
    """Search the hyper-parameters of a recipe, and keep the module of the best trial.

    The best is chosen on the development records alone. Several languages share one module.

    Args:
        recipe: As for `train`.
        data: As for `train`.
        out: Folder to make: ``study.db``, ``trials.csv``, ``trials.svg``, ``best.yaml`` (the best
            recipe) and ``best`` (the best module).
        base: As for `train`.
        lang: As for `train`; several languages share one module.
        trials: Number of trials in all.
        params: What is searched: ``"learning_rate=1e-4..1e-3:log"``, ``"rank=4,8,16"``, several, or
            a dict of names to a list of values, or to a tuple ``(low, high)`` or
            ``(low, high, "log")``. Without any, the recipe's own choice.
        dev: As for `train`.
        pivot: As for `train`.
        columns: As for `train`.
        file_format: As for `train`.
        settings: As for `train`.
        resume: Go on with an earlier search, until it has ``trials`` trials.
        compose: As for `train`.
        callables: As for `train`.
        companions: As for `train`.
        base_id: As for `train`.
        licence: As for `train`.
        callbacks: As for `train`; they see every trial.
        report: As for `train`.
        show: As for `train`.
        allow_modified: As for `train`.
        options: As for `train`. An option that is searched is only the first trial's value.

    Returns:
        The trials, the best recipe, and the result for the best module.

    Raises:
        UserError: If an argument is wrong, or there are no development records. No files are left
            behind.
    """
    plan, start = _plan_and_base(tune, recipe, base, settings, options)
    tags = languages_of(data, lang, plan.data)
    form: dict[str, Any] = {"pivot": pivot, "columns": columns, "file_format": file_format}
    held = [] if dev is None else sources_of(dev, tags, plan.data, where="dev", **form)
    shown = interactive() if show is None else show
    job = run.TrainingJob(
        start,
        tuple(sources_of(data, tags, plan.data, **form)),
        Path(out),
        tuple(held),
        resume,
        base_id=base_id,
        licence=licence,
        show=shown,
        compose=tuple(as_strings(compose)),
        callables=callables or {},
        companions={name: str(module) for name, module in (companions or {}).items()},
        callbacks=tuple(checked(callbacks)),
    )
    with allowing_modified(allow_modified):
        return tuning.tune(
            plan,
            job,
            integrations.compare_loaders,
            trials=trials,
            parameters=parameter_texts(params),
            report=report or (write_line if shown else lambda _: None),
        )


def _plan_and_base(
    function: Callable[..., Any],
    recipe: str | Path | Recipe | Mapping[str, Any],
    base: str | None,
    settings: Settings,
    options: Mapping[str, Any],
) -> tuple[Recipe, str]:
    """Return the recipe with its changes, and the base; a mistyped option is refused."""
    own = [name for name in inspect.signature(function).parameters if name != "options"]
    found = find_recipe(recipe) if isinstance(recipe, (str, Path)) else recipe
    plan = changed_recipe(found, settings, options, own)
    start = base or plan.base
    if start is None:
        raise UserError("no base is given", where="base", todo='Name one, such as base="mini"')
    return plan, start


def evaluate_tagging(**given: Any) -> Result:
    """Deprecated: call ``evaluate("tagging", ..)``."""
    return _evaluate_by_old_name("tagging", given)


def evaluate_classification(**given: Any) -> Result:
    """Deprecated: call ``evaluate("classification", ..)``."""
    return _evaluate_by_old_name("classification", given)


def evaluate_sts(**given: Any) -> Result:
    """Deprecated: call ``evaluate("sts", ..)``."""
    return _evaluate_by_old_name("sts", given)


def evaluate_qa(**given: Any) -> Result:
    """Deprecated: call ``evaluate("qa", ..)``."""
    return _evaluate_by_old_name("qa", given)


def evaluate_open_ie(**given: Any) -> Result:
    """Deprecated: call ``evaluate("open_ie", ..)``."""
    return _evaluate_by_old_name("open_ie", given)


def _evaluate_by_old_name(task: str, given: dict[str, Any]) -> Result:
    message = f"evaluate_{task}(..) is called evaluate({task!r}, ..) now"
    warnings.warn(message, DeprecationWarning, stacklevel=3)
    return evaluate(task, **given)
