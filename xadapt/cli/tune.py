"""``xadapt tune``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from xadapt import integrations
from xadapt.cli import launched, options
from xadapt.cli import training_options as shared
from xadapt.cli.train import PARALLEL, _companions, _sources
from xadapt.cli.verbs import Verb
from xadapt.config.recipe_file import find_recipe, load_recipe
from xadapt.data.loading.records import Source


def tune(
    recipe: shared.RecipeArgument,
    data: Annotated[
        list[str],
        typer.Option(
            metavar="SOURCE", help=f"Training data, as for xadapt train. {options.SEVERAL}"
        ),
    ],
    lang: Annotated[
        list[str],
        typer.Option(
            metavar="TAG",
            help="BCP-47 or ISO 639-3. Several languages share one module: separate them by "
            "commas, or repeat the option.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    trials: Annotated[int, typer.Option(min=1, help="Number of trials in all.")] = 20,
    param: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUES",
            help="What is searched, instead of the recipe's own choice: KEY=LOW..HIGH, "
            "KEY=LOW..HIGH:log or KEY=VALUE,VALUE. A key is that of --set or its last part, such "
            "as learning_rate=1e-4..1e-3:log or rank=4,8,16. Several: repeat the option.",
        ),
    ] = None,
    base: shared.BaseOption = None,
    dev: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SOURCE",
            help="Development data, which choose the best, given as --data is. Without it, a part "
            f"of the training data is held out. {options.SEVERAL}",
        ),
    ] = None,
    set_: shared.SetOption = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Continue an earlier search, until it has --trials trials."),
    ] = False,
    compose: shared.ComposeOption = None,
    companion: shared.CompanionOption = None,
    columns: options.ColumnsOption = None,
    file_format: options.FormatOption = None,
    pivot: options.PivotOption = None,
    base_id: shared.BaseIdOption = None,
    licence: shared.LicenceOption = None,
    json: options.JsonOption = None,
    allow_modified: options.AllowModifiedOption = False,
) -> None:
    """Search learning rate, size and layers of a recipe; keep the best on development data."""
    plan = load_recipe(find_recipe(recipe), set_ or [])
    found = base or plan.base
    options.require(found is not None, "no base is given", "Name one with --base")
    tags, side = options.tags(lang), pivot or options.PIVOT
    model = Source("", "", side, columns, file_format)
    pairs = {name: spec.reader in PARALLEL for name, spec in plan.data.items()}
    sources = _sources(options.split_sources(data, tags, side, pairs), tags, model, "--data")
    own = {"train": pairs.get("train", True)}
    held = (
        _sources(options.split_sources(dev, tags, side, own), tags, model, "--dev") if dev else []
    )
    others = _companions(companion or [])
    with launched.progress("starting"):
        from xadapt.cli.tables import evidence_table
        from xadapt.pipelines.train import TrainingJob
        from xadapt.pipelines.tune import tune as search

    log = Console(stderr=True, highlight=False, soft_wrap=True)
    job = TrainingJob(
        str(found),
        tuple(sources),
        out,
        tuple(held),
        resume,
        base_id=base_id,
        licence=licence,
        compose=tuple(compose or ()),
        companions=others,
    )
    done = search(
        plan,
        job,
        integrations.compare_loaders,
        trials=trials,
        parameters=param or (),
        report=lambda line: log.print(line, markup=False),
    )
    console = Console(highlight=False)
    console.print(str(done), markup=False, soft_wrap=True)
    if done.training.manifest.evidence:
        console.print(evidence_table(done.training.manifest))
    log.print(f"wrote {out}: best/, best.yaml, trials.csv, trials.svg, study.db", markup=False)
    options.save_json(json, {"command": "tune", **done.to_dict()})


VERBS = (
    Verb(
        "tune",
        "Train",
        tune,
        (
            "xadapt tune translation_ranking --base mini --data pairs.tsv --lang sw \\\n"
            "  --trials 20 --out sw-search",
            "xadapt tune ner --base mini --data en.conll --lang en --trials 10 \\\n"
            "  --param learning_rate=1e-4..1e-2:log --out ner-search",
        ),
        interrupted="the same command with --resume goes on where it stopped",
    ),
)
