"""The study of a hyper-parameter search: its trials in an SQLite file, and what to try next.

Optuna suggests the values (tree-structured Parzen estimator, Bergstra et al. 2011) and stops trials
whose score is below the median of earlier trials at the same point of training (Golovin et al.
2017). What is suggested depends on the seed and on the finished trials alone. So a search that was
interrupted tries what it would have tried without the interruption.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from xadapt.core.errors import UserError, missing_extra
from xadapt.pipelines.search_space import Parameter

if TYPE_CHECKING:
    import optuna

NAME = "xadapt"
STARTUP = 5
"""The trials before which nothing is learnt from others, and nothing is stopped early."""

State = Literal["finished", "stopped early", "failed"]
FINISHED: State = "finished"
STOPPED: State = "stopped early"
FAILED: State = "failed"


@dataclass(frozen=True)
class TunedTrial:
    """One trial of a search.

    Attributes:
        number: Its number, from 1.
        values: The searched values by key, as they would be written in YAML.
        state: ``finished``, ``stopped early`` or ``failed``.
        score: The best development score of the run; ``None`` if it failed.
        step: The step of that score.
        seconds: Training time.
        prepare_seconds: Time to compute or read the states of the frozen base.
        note: Why the trial failed.
    """

    number: int
    values: Mapping[str, str]
    state: State
    score: float | None = None
    step: int = 0
    seconds: float = 0.0
    prepare_seconds: float = 0.0
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the values for JSON."""
        return asdict(self)


@dataclass
class AskedTrial:
    """A trial that runs now.

    Attributes:
        number: Its number among the trials that count, from 1.
        values: The searched values by key, as they would be written in YAML.
        trial: The trial of Optuna.
        stopped: Whether it was stopped early.
    """

    number: int
    values: dict[str, str]
    trial: optuna.Trial
    stopped: bool = field(default=False)

    def on_evaluate(
        self, args: Any, state: Any, control: Any, *, metrics: Mapping[str, float], **_: Any
    ) -> None:
        """Report a development score of the run, and end the run if its score is a low one.

        The point of training is counted in hundredths of the run, so runs of different lengths
        compare.
        """
        self.trial.report(metrics["eval_score"], round(100 * state.global_step / state.max_steps))
        if state.global_step < state.max_steps and self.trial.should_prune():
            self.stopped = control.should_training_stop = True


class Study:
    """A study in a file. A process that ends in a trial leaves the trial to be tried again.

    Args:
        path: The SQLite file. It is made if it is not there.
        parameters: What is searched.
        seed: Seed of what is suggested.

    Raises:
        UserError: If Optuna is not installed, or the file holds no study.
    """

    def __init__(self, path: Path, parameters: Sequence[Parameter], seed: int) -> None:
        self._optuna = require_optuna()
        self.parameters, self.seed = parameters, seed
        self._storage = self._open(path)
        try:
            self._study = self._optuna.create_study(
                storage=self._storage,
                study_name=NAME,
                direction="maximize",
                pruner=self._optuna.pruners.MedianPruner(n_startup_trials=STARTUP),
                load_if_exists=True,
            )
        except Exception as error:
            self.close()
            raise _unusable(path, error) from None

    def close(self) -> None:
        """Close the file."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    @property
    def trials(self) -> tuple[TunedTrial, ...]:
        """The trials that count, in order: all but those that were interrupted."""
        return tuple(_row(number, one) for number, one in enumerate(self._done(), 1))

    @property
    def facts(self) -> dict[str, Any]:
        """What was stored with `remember`."""
        return dict(self._study.user_attrs)

    def remember(self, name: str, value: Any) -> None:
        """Store a value of JSON in the file."""
        self._study.set_user_attr(name, value)

    def suggest_first(self, values: Mapping[str, Any]) -> None:
        """Try these values first, if nothing was tried yet."""
        if not self._study.trials:
            self._study.enqueue_trial(dict(values))

    def ask(self) -> AskedTrial:
        """Begin the next trial: an interrupted one, or new values."""
        number = len(self._done()) + 1
        states = self._optuna.trial.TrialState
        earlier = self._study.get_trials(deepcopy=False, states=(states.RUNNING,))
        reports: dict[int, float] = {}
        for left in earlier:
            reports = dict(left.intermediate_values)
            self._study.tell(left.number, state=states.FAIL)
            if len(left.params) == len(self.parameters):
                self._study.enqueue_trial(left.params)
        self._study.sampler = self._optuna.samplers.TPESampler(
            n_startup_trials=STARTUP, seed=1000 * self.seed + number
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trial = self._study.ask()
            values = {one.key: one.suggest(trial) for one in self.parameters}
            for step, score in reports.items():
                trial.report(score, step)
        trial.set_user_attr("values", values)
        return AskedTrial(number, values, trial)

    def tell(self, asked: AskedTrial, found: TunedTrial) -> None:
        """Store the end of a trial."""
        states = self._optuna.trial.TrialState
        ends = {FINISHED: states.COMPLETE, STOPPED: states.PRUNED, FAILED: states.FAIL}
        rest = {key: value for key, value in found.to_dict().items() if key != "number"}
        asked.trial.set_user_attr("found", rest)
        score = found.score if found.state == FINISHED else None
        self._study.tell(asked.trial, score, state=ends[found.state])

    def _done(self) -> list[Any]:
        """Return the trials that ended by themselves."""
        states = self._optuna.trial.TrialState
        ended = (states.COMPLETE, states.PRUNED, states.FAIL)
        found = self._study.get_trials(deepcopy=False, states=ended)
        return [one for one in found if "found" in one.user_attrs]

    def _open(self, path: Path) -> Any:
        """Open the file by its path as it is, whatever characters are in it."""
        import sqlite3

        from sqlalchemy.pool import NullPool

        def connect() -> sqlite3.Connection:
            return sqlite3.connect(path, timeout=60)

        try:
            return self._optuna.storages.RDBStorage(
                "sqlite://", engine_kwargs={"creator": connect, "poolclass": NullPool}
            )
        except Exception as error:
            raise _unusable(path, error) from None


def require_optuna() -> Any:
    """Import Optuna, which then logs warnings only.

    Raises:
        UserError: If Optuna is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise missing_extra("optuna", "tune") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _row(number: int, trial: Any) -> TunedTrial:
    return TunedTrial(number, **trial.user_attrs["found"])


def _unusable(path: Path, error: Exception) -> UserError:
    reason = " ".join(str(getattr(error, "orig", None) or error).split())[:200]
    return UserError(
        f"this is no study that can be used ({reason})",
        where=str(path),
        todo="Name another folder with --out",
    )
