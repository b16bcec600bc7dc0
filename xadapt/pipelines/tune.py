"""Search the hyper-parameters of a recipe: train with several, keep the best on development data.

Each trial trains the recipe with other values, on the same training records, and is scored on the
same development records. What the frozen base computes below the first module is cached and
shared by the trials. The score of the best of many trials is optimistic: a test set that was never
read, with ``xadapt evaluate``, says how good the module is.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from xadapt.backbones.finite import NotFiniteError
from xadapt.config.recipe import Recipe
from xadapt.config.recipe_file import changed_recipe
from xadapt.core.errors import UserError
from xadapt.core.files import require_empty, write_errors, write_text
from xadapt.core.folder_lock import one_writer
from xadapt.pipelines import run_folder
from xadapt.pipelines import train as run
from xadapt.pipelines.run_identity import as_yaml
from xadapt.pipelines.search_space import Parameter, default_parameters, read_parameters
from xadapt.pipelines.search_space import current as current_values
from xadapt.pipelines.study import (
    FAILED,
    FINISHED,
    STOPPED,
    AskedTrial,
    Study,
    TunedTrial,
    require_optuna,
)
from xadapt.pipelines.tuning_result import TuningResult, as_csv, best_of, draw, short_names
from xadapt.report.table import number
from xadapt.tasks.development import is_scored
from xadapt.training.loop import Trainer
from xadapt.training.settings import DivergedError

STUDY, TRIALS = "study.db", "trials"
BEST, RECIPE, TABLE, PICTURE = "best", "best.yaml", "trials.csv", "trials.svg"
MANY = 20
"""The number of trials, if no other is asked for."""


def tune(
    recipe: Recipe,
    job: run.TrainingJob,
    verify: run.Verify,
    *,
    trials: int = MANY,
    parameters: Sequence[str] = (),
    report: run.Reporter = lambda _: None,
) -> TuningResult:
    """Search the hyper-parameters of a recipe, and keep the module of the best trial.

    The folder then has ``study.db`` (the study of Optuna), ``trials.csv``, ``trials.svg``,
    ``best.yaml`` (the recipe with the best values) and ``best`` (the module's folder).

    Args:
        recipe: The recipe. Its own values are the first trial, if the search may try them.
        job: The base, the data and the folder. With ``resume``, an earlier search goes on until it
            has ``trials`` trials; an interrupted trial goes on from its checkpoint.
        verify: As for `xadapt.pipelines.train.train`.
        trials: Number of trials in all.
        parameters: What is searched, see `read_parameters`; without any, `default_parameters`.
        report: Receives the progress, a line at a time.

    Raises:
        UserError: If an argument is wrong, the records have no development part, an earlier search
            differs, or no trial gives a module. A search that did not begin leaves no files.
        KeyboardInterrupt: As for `xadapt.pipelines.train.train`; the search can be resumed.
    """
    require_optuna()
    folder = job.out
    _require_alone()
    if recipe.module.init is not None:
        raise UserError(
            "a search trains new modules, of other shapes too",
            where="module.init",
            todo="Leave it out here, and train the best recipe with it: xadapt train best.yaml "
            "--set module.init=DIR",
        )
    if trials < 1:
        raise UserError(f"{trials} trials are no search", where="--trials", todo="Give 1 or more")
    searched = read_parameters(parameters, recipe)
    _require_usable(folder, job.resume)
    with one_writer(folder), _nothing_left(folder):
        search = _Search.begin(recipe, job, searched, report)
        try:
            search.run_trials(trials)
            return search.publish(verify)
        finally:
            search.study.close()


@dataclass
class _Search:
    """A search that runs.

    Attributes:
        recipe: The recipe.
        job: The base, the data and the folder.
        inputs: Records and base, which all trials share.
        study: The study.
        report: Receives the progress.
    """

    recipe: Recipe
    job: run.TrainingJob
    inputs: run.Inputs
    study: Study
    report: run.Reporter

    @classmethod
    def begin(
        cls,
        recipe: Recipe,
        job: run.TrainingJob,
        searched: Sequence[Parameter],
        report: run.Reporter,
    ) -> _Search:
        """Read the data and the base, check all values on them, and open the study."""
        inputs = run.Inputs.open(recipe, job)
        parameters = searched or default_parameters(recipe, inputs.base.depth)
        one = replace(job, out=job.out / TRIALS / "check")
        trainer = run.prepare(recipe, one, inputs)
        _require_scores(trainer, inputs.loaded.dev)
        for parameter in parameters:
            for text in parameter.edges():
                changed = changed_recipe(recipe, [f"{parameter.key}={text}"])
                run.require_module(changed, inputs.base)
        study = Study(job.out / STUDY, parameters, recipe.seed)
        search = cls(recipe, job, inputs, study, report)
        try:
            search._require_same(dict(trainer.run.identity), parameters)
        except UserError:
            study.close()
            raise
        for note in inputs.loaded.notes:
            report(note)
        report(f"searched: {'; '.join(map(str, parameters))}")
        report(f"scored on {search.records} held out for development; no test data are read")
        first = current_values(parameters, recipe)
        if first is not None:
            study.suggest_first(first)
        return search

    @property
    def records(self) -> str:
        """The development records in words."""
        dev = self.inputs.loaded.dev
        return f"{len(dev):,} {dev[0].unit}"

    def _require_same(self, identity: dict[str, Any], parameters: Sequence[Parameter]) -> None:
        """Refuse an earlier study of something else."""
        now = {**identity, "searched parameters": [str(one) for one in parameters]}
        before = self.study.facts.get("identity")
        if before is None:
            self.study.remember("identity", now)
            return
        differs = [key for key in {**now, **before} if now.get(key) != before.get(key)]
        if differs:
            raise UserError(
                f"the folder holds a search with another {' and another '.join(differs)}",
                where=str(self.job.out),
                todo="Name another folder, or give what the search began with",
            )

    def run_trials(self, trials: int) -> None:
        """Run trials until there are so many; table and picture are written at any end."""
        done = self.study.trials
        if done:
            self.report(f"{len(done)} trials are done already")
        try:
            while len(done) < trials:
                self._tidy(done)
                asked = self.study.ask()
                values = ", ".join(f"{k}={v}" for k, v in _short(asked.values).items())
                self.report(f"trial {asked.number} of {trials}: {values}")
                found = self._trial(asked)
                self.study.tell(asked, found)
                done = self.study.trials
                self.report(_line(found, done))
                self._write(done)
        finally:
            self._write(self.study.trials, picture=True)
        self._tidy(done)

    def _trial(self, asked: AskedTrial) -> TunedTrial:
        """Train with the values of a trial."""
        job = replace(self._job(asked.number), callbacks=(*self.job.callbacks, asked))
        trainer = run.prepare(self._recipe(asked.values), job, self.inputs)
        began = run_folder.has_checkpoint(job.out / run_folder.STATE)
        try:
            progress = trainer.train(resume=began)
        except (DivergedError, NotFiniteError, torch.OutOfMemoryError) as error:
            return self._failed(asked, " ".join(str(error).split()))
        if not math.isfinite(progress.best_score):
            return self._failed(asked, "its development score is no finite number")
        return TunedTrial(
            asked.number,
            asked.values,
            STOPPED if asked.stopped else FINISHED,
            progress.best_score,
            progress.best_step,
            round(progress.seconds, 3),
            round(trainer.prepare_seconds, 3),
        )

    def _failed(self, asked: AskedTrial, why: str) -> TunedTrial:
        return TunedTrial(asked.number, asked.values, FAILED, note=why)

    def publish(self, verify: run.Verify) -> TuningResult:
        """Make the module's folder of the best trial, unless it is there already."""
        trials, folder = self.study.trials, self.job.out
        best = best_of(trials)
        if best is None:
            raise UserError(
                f"no trial gave a module; the last one: {trials[-1].note}",
                where=str(folder),
                todo="Search lower learning rates",
            )
        recipe, target = self._recipe(best.values), folder / BEST
        if self.study.facts.get("published") != best.number or not target.is_dir():
            at = self._job(best.number)
            self.report(f"trial {best.number} is the best; writing its module")
            known = set(self.inputs.loaded.notes)
            training = run.train(
                recipe, at, verify, lambda s: None if s in known else self.report(s), self.inputs
            )
            _replace_folder(at.out, target)
            self.study.remember("published", best.number)
            with contextlib.suppress(OSError):
                (folder / TRIALS).rmdir()
            training = replace(training, folder=target)
        else:
            training = run.train(recipe, replace(self.job, out=target, resume=True), verify)
        return TuningResult(folder, trials, recipe, training, self.records)

    def _recipe(self, values: Mapping[str, str]) -> Recipe:
        return changed_recipe(self.recipe, [f"{key}={value}" for key, value in values.items()])

    def _job(self, number: int) -> run.TrainingJob:
        return replace(self.job, out=self.job.out / TRIALS / f"{number:04d}", resume=True)

    def _write(self, trials: Sequence[TunedTrial], picture: bool = False) -> None:
        """Write the table and the best recipe so far, and the picture if asked for."""
        best = best_of(trials)
        if best is None:
            return
        folder = self.job.out
        write_text(folder / TABLE, as_csv(trials))
        head = f"# The best of {len(trials)} trials on {self.records} held out for development.\n"
        write_text(folder / RECIPE, head + as_yaml(self._recipe(best.values)))
        if picture:
            from xadapt.report.plots import save_plot

            save_plot(folder / PICTURE, lambda axes: draw(axes, trials))

    def _tidy(self, trials: Sequence[TunedTrial]) -> None:
        """Remove the runs of trials that ended, except the best one's."""
        best = best_of(trials)
        for trial in trials:
            if best is None or trial.number != best.number:
                shutil.rmtree(self._job(trial.number).out, ignore_errors=True)


def _short(values: dict[str, str]) -> dict[str, str]:
    return dict(zip(short_names(list(values)), values.values(), strict=True))


def _line(found: TunedTrial, done: Sequence[TunedTrial]) -> str:
    if found.score is None:
        return f"  failed: {found.note}"
    best = best_of(done)
    so_far = f"best so far {number(best.score)}" if best and best.score is not None else ""
    early = "" if found.state == FINISHED else f", {found.state}"
    return f"  development score {number(found.score)}{early} ({so_far})"


def _replace_folder(made: Path, target: Path) -> None:
    """Move a folder to its place; an earlier one is removed after that."""
    with write_errors(target):
        earlier = made.with_name("replaced")
        if target.exists():
            shutil.rmtree(earlier, ignore_errors=True)
            target.replace(earlier)
        made.replace(target)
        shutil.rmtree(earlier, ignore_errors=True)


def _require_usable(folder: Path, resume: bool) -> None:
    """Refuse a folder that holds something else, or a search that is not to be resumed."""
    with write_errors(folder):
        there = (folder / STUDY).is_file()
    if not there:
        require_empty(folder)
    elif not resume:
        raise UserError(
            "the output folder holds a search",
            where=str(folder),
            todo="Add --resume to go on with it, or name another folder",
        )


def _require_scores(trainer: Trainer, dev: Sequence[Any]) -> None:
    """Refuse a search whose trials would have no score."""
    if not dev or not is_scored(trainer, dev):
        raise UserError(
            "there are no development records that a task scores, so trials can't be compared",
            where="--dev",
            todo="Name some with --dev or set data.train.dev above 0; plain text has no score",
        )


def _require_alone() -> None:
    if int(os.environ.get("WORLD_SIZE", "1") or 1) > 1:
        raise UserError(
            "a search runs in one process",
            todo="Start it without torchrun; searches in several folders may run at once",
        )


@contextmanager
def _nothing_left(folder: Path) -> Iterator[None]:
    """Remove what a search that failed before its first checkpoint has made."""
    there = (folder / STUDY).exists()
    try:
        yield
    except BaseException:
        begun = (folder / TABLE).exists() or run_folder.has_checkpoint(folder / TRIALS)
        if not there and not begun:
            (folder / STUDY).unlink(missing_ok=True)
            shutil.rmtree(folder / TRIALS, ignore_errors=True)
        raise
