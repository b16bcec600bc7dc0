"""``xadapt train``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from xadapt import integrations
from xadapt.cli import launched, options
from xadapt.cli import training_options as shared
from xadapt.cli.verbs import Verb
from xadapt.config.recipe_file import find_recipe, load_recipe
from xadapt.core.errors import UserError
from xadapt.data.loading.records import Source

if TYPE_CHECKING:
    from xadapt.config.recipe import Recipe
    from xadapt.pipelines.train import TrainingJob, TrainingResult


PARALLEL = ("parallel", "moses")
"""Readers of parallel text that may be in two files."""


def train(
    recipe: shared.RecipeArgument,
    data: Annotated[
        list[str],
        typer.Option(
            metavar="SOURCE",
            help="Training data: a file, the two files of a Moses pair (a.en,a.de or their prefix "
            "a), cldr, or hf:org/name. {lang} in it stands for the language. NAME=SOURCE fills "
            f"the entry NAME of the recipe's data. {options.SEVERAL} A path that exists is one "
            "source, also with a comma in it.",
        ),
    ],
    lang: Annotated[
        list[str],
        typer.Option(
            metavar="TAG",
            help="Language of the data: BCP-47 or ISO 639-3. Each language gets a module of its "
            f"own. {options.SEVERAL}",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER", help="Folder to make; with several languages, one inside for each."
        ),
    ],
    base: shared.BaseOption = None,
    dev: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SOURCE",
            help="Development data, given as --data is. Without it, a part of the training data "
            f"is held out. {options.SEVERAL}",
        ),
    ] = None,
    set_: shared.SetOption = None,
    seeds: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, help="Number of modules to train, with the seeds 0, 1, ..."
        ),
    ] = 1,
    controls: Annotated[
        bool, typer.Option("--controls", help="Also train the shuffled-pairs control.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")] = False,
    compose: shared.ComposeOption = None,
    companion: shared.CompanionOption = None,
    translator: shared.TranslatorOption = None,
    joint: Annotated[
        bool, typer.Option("--joint", help="Train one module for all languages together.")
    ] = False,
    columns: options.ColumnsOption = None,
    file_format: options.FormatOption = None,
    pivot: options.PivotOption = None,
    base_id: shared.BaseIdOption = None,
    licence: shared.LicenceOption = None,
    data_licence: shared.DataLicenceOption = None,
    data_id: shared.DataIdOption = None,
    report_to: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TRACKER",
            help="Also log to tensorboard, wandb or trackio. Several: repeat the option, or "
            "separate them by commas.",
        ),
    ] = None,
    loaders: options.LoadersOption = None,
    json: options.JsonOption = None,
    allow_modified: options.AllowModifiedOption = False,
    allow_base_mismatch: options.AllowBaseMismatchOption = False,
) -> None:
    """Train a module on a frozen encoder and write its folder, with evidence and card."""
    with launched.progress("starting"):
        from xadapt.hub.loaders import loaders_of

        wanted = loaders_of(loaders)
        plan = load_recipe(find_recipe(recipe), set_ or [])
    found = base or plan.base
    options.require(found is not None, "no base is given", "Name one with --base")
    tags = options.tags(lang)
    _require_effect(plan, str(found), tags, pivot, joint, seeds, set_ or [], base_id)
    model = Source("", "", pivot or options.PIVOT, columns, file_format)
    pairs = {name: spec.reader in PARALLEL for name, spec in plan.data.items()}
    given = options.split_sources(data, tags, pivot or options.PIVOT, pairs)
    sources = _sources(given, tags, model, "--data")
    given = options.split_sources(
        dev, tags, pivot or options.PIVOT, {"train": pairs.get("train", True)}
    )
    held = _sources(given, tags, model, "--dev") if dev else []
    others = _companions(companion or [])
    with launched.progress("starting"):
        from xadapt.pipelines import train as run
        from xadapt.pipelines.training_jobs import plan_jobs
        from xadapt.pipelines.translate import callables_of
        from xadapt.training.trackers import tracker_names

    trackers = tracker_names(report_to)
    job = run.TrainingJob(
        str(found),
        (),
        out,
        resume=resume,
        controls=controls,
        base_id=base_id,
        licence=licence,
        data_licence=data_licence,
        data_ids=tuple(options.split(data_id)),
        compose=tuple(compose or ()),
        callables=callables_of(plan, translator),
        companions=others,
        report_to=tuple(trackers),
        loaders=wanted,
    )
    jobs = plan_jobs(plan, job, sources, held, joint=joint, seeds=seeds)
    if len(jobs) > 1:
        for seeded_plan, job in jobs:
            with launched.progress(f"reading the data of {job.out}"):
                run.check(seeded_plan, [job])
    done = [_one(seeded_plan, job) for seeded_plan, job in jobs]
    if seeds > 1:
        _tell_seeds(done, seeds)
    options.save_json(json, {"command": "train", "modules": [_row(t, out) for t in done]})


def _require_effect(
    recipe: Recipe,
    base: str,
    tags: list[str],
    pivot: str | None,
    joint: bool,
    seeds: int,
    changes: list[str],
    base_id: str | None,
) -> None:
    """Refuse options that would have no effect in this run."""
    from xadapt.backbones.bases import resolve
    from xadapt.data.loading.source_options import gives_pairs

    options.require(
        not joint or len(tags) > 1, "--joint does nothing for one language", "Leave it out"
    )
    options.require(
        pivot is None or any(gives_pairs(spec) for spec in recipe.data.values()),
        "--pivot does nothing for a recipe without parallel text",
        "Leave it out",
    )
    options.require(
        seeds == 1 or not any(change.partition("=")[0].strip() == "seed" for change in changes),
        "--seeds and --set seed=.. are both given",
        "Leave one of them out",
    )
    options.require(
        base_id is None or resolve(base).kind != "hub",
        f"--base-id does nothing for a base that is named by its id, {base}",
        "Leave it out",
    )


def _one(recipe: Recipe, job: TrainingJob) -> TrainingResult:
    with launched.progress("starting"):
        from xadapt.cli.tables import evidence_table
        from xadapt.pipelines import train as run

    quiet = not launched.is_first()
    console = Console(stderr=True, highlight=False, soft_wrap=True, quiet=quiet)
    said: list[str] = []

    def report(line: str) -> None:
        if not said:
            console.print(f"[bold]{', '.join(s.lang for s in job.sources)}[/bold] -> {job.out}")
        said.append(line)
        console.print(line, markup=False)

    with launched.progress(f"working on {job.out}"):
        trained = run.train(recipe, job, integrations.compare_loaders, report)
    if trained.reused:
        console.print(trained.notes[0], markup=False)
    if trained.manifest.evidence:
        Console(highlight=False).print(evidence_table(trained.manifest))
    if not trained.reused:
        console.print(
            f"trained in {trained.seconds:.0f} s, {trained.forwards:.1f} times one frozen forward "
            f"over the data (and {trained.prepare_seconds:.0f} s for the frozen side), "
            f"{trained.padding:.1%} padding; wrote {trained.folder}"
        )
    for name, loader in trained.manifest.loaders.items():
        reason = f" ({loader.reason})" if loader.reason else ""
        console.print(f"  {name}: {loader.status}{reason}", markup=False)
    return trained


def _tell_seeds(done: list[TrainingResult], seeds: int) -> None:
    from xadapt.cli.tables import seeds_table

    for start in range(0, len(done), seeds):
        Console(highlight=False).print(
            seeds_table([trained.manifest for trained in done[start : start + seeds]])
        )


def _sources(
    values: list[tuple[str, str]], tags: list[str], model: Source, option: str
) -> list[Source]:
    """Return one source for each language and data entry, in the order of the languages."""
    paths: dict[str, list[str]] = {}
    for name, path in values:
        paths.setdefault(name, []).append(path)
    found = []
    for name, given in paths.items():
        given = given * len(tags) if len(given) == 1 else given
        if len(given) != len(tags):
            raise UserError(
                f"{len(given)} sources and {len(tags)} languages",
                where=option,
                todo="Give one source for all languages, or one for each in the same order",
            )
        found += [
            replace(model, path=path.replace("{lang}", tag), lang=tag, data=name)
            for path, tag in zip(given, tags, strict=True)
        ]
    if not found:
        raise UserError("there is no source or no language", where=option)
    return found


def _companions(values: list[str]) -> dict[str, str]:
    """Return the companion modules by their names in the recipe."""
    found: dict[str, str] = {}
    for value in values:
        name, equals, module = value.partition("=")
        if not (name and equals and module):
            raise UserError(
                f"{value!r} names no companion", where="--companion", todo="Write NAME=FOLDER"
            )
        if name in found:
            raise UserError(f"two modules are given for {name!r}", where="--companion")
        found[name] = module
    return found


def _row(trained: TrainingResult, out: Path) -> dict[str, object]:
    folder = trained.folder.name if trained.folder == out else str(_inside(trained, out))
    return {**trained.to_dict(), "folder": folder}


def _inside(trained: TrainingResult, out: Path) -> Path:
    return Path(out.name) / trained.folder.relative_to(out)


VERBS = (
    Verb(
        "train",
        "Train",
        train,
        (
            "xadapt train translation_ranking --base mini --data cldr --lang sw --out sw",
            "xadapt train sts --base mini --data scored.tsv --lang en --out sts \\\n"
            "  --set train.epochs=2",
        ),
        interrupted="the same command with --resume goes on where it stopped",
    ),
)
