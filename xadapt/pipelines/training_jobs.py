"""The jobs of one command: a module for each language or one for all, and one for each seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from xadapt.config.recipe import Recipe
from xadapt.core.errors import UserError
from xadapt.data.loading.records import Source
from xadapt.pipelines.train import TrainingJob

Planned = list[tuple[Recipe, TrainingJob]]


def plan_jobs(
    recipe: Recipe,
    job: TrainingJob,
    sources: Sequence[Source],
    dev: Sequence[Source] = (),
    *,
    joint: bool = False,
    seeds: int = 1,
) -> Planned:
    """Return the jobs with their recipes, in order.

    Several languages have their modules in the folders ``out/LANGUAGE``, and several seeds in the
    folders ``seed-0``, ``seed-1`` and so on below.

    Args:
        recipe: The recipe.
        job: The options that all jobs share; ``out`` is the folder of all.
        sources: The data of all languages, with BCP-47 tags.
        dev: The development data of all languages.
        joint: Whether all languages share one module.
        seeds: Number of modules, with seeds from 0, if more than one.

    Raises:
        UserError: If there are no seeds, or one language for a joint module.
    """
    if joint and len({source.lang for source in sources}) < 2:
        raise UserError("joint does nothing for one language", where="joint", todo="Leave it out")
    if seeds < 1:
        raise UserError(f"{seeds} runs are no run", where="seeds", todo="Give 1 or more")
    tags = list(dict.fromkeys(source.lang for source in sources))
    planned: Planned = []
    for some, folder in _folders(tags, Path(job.out), joint):
        own = replace(
            job,
            out=folder,
            sources=tuple(_in_own_language(s, recipe) for s in sources if s.lang in some),
            dev=tuple(s for s in dev if s.lang in some),
        )
        planned += [
            (recipe.model_copy(update={"seed": n}), replace(own, out=folder / f"seed-{n}"))
            for n in range(seeds if seeds > 1 else 0)
        ] or [(recipe, own)]
    return planned


def _folders(tags: list[str], out: Path, joint: bool) -> list[tuple[list[str], Path]]:
    if joint or len(tags) == 1:
        return [(tags, out)]
    return [([tag], out / tag) for tag in tags]


def _in_own_language(source: Source, recipe: Recipe) -> Source:
    """Return a source in the language that the recipe names for its entry, if it names one."""
    spec = recipe.data.get(source.data)
    return source if spec is None or spec.lang is None else replace(source, lang=spec.lang)
