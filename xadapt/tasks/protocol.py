"""The protocol of a task, and how tasks are found and run.

A task is one file of this room. The file defines the record, the head, the prediction, the scores,
the baselines and the table. The command line, Python, training and the module's card use these
definitions.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, get_type_hints

from rich.table import Table
from torch import nn

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.config.recipe import build_reader
from xadapt.core import registry
from xadapt.data.loading.records import Source
from xadapt.data.readers.hub_rows import HubRows
from xadapt.data.readers.in_memory import InMemory
from xadapt.data.readers.memory_records import read_in_memory
from xadapt.data.readers.notes import LoggedNotes
from xadapt.data.readers.sides import Request as PairRequest
from xadapt.data.records import ParallelPair, Record
from xadapt.evaluation.comparison import Result
from xadapt.heads.head import Head
from xadapt.hub.manifest import Evidence
from xadapt.languages.tags import normalise
from xadapt.tasks.predictor import MODULE
from xadapt.tasks.table import comparison_table

if TYPE_CHECKING:
    from xadapt.training.loop import Trainer

Report = Callable[[str], None]
RESAMPLES = 1000


@dataclass(frozen=True)
class Option:
    """An option that a task adds to ``xadapt evaluate``, as an annotation of `Task.measure`.

    Attributes:
        help: Description of the option, one line.
        flag: Name on the command line, where it differs from the parameter's name.
        old: A former name of the parameter, still accepted.
        choices: The allowed values; any value if not given.
        minimum: The least value of a number.
    """

    help: str
    flag: str = ""
    old: str = ""
    choices: tuple[str, ...] = ()
    minimum: int | None = None


@dataclass(frozen=True)
class Request:
    """The request of a user to measure a module: the options that tasks share.

    Attributes:
        base: Hub id, folder, ``package:NAME/SUBDIR`` or ``mini``.
        data: Source of the records: a path, ``hf:org/name``, or data in memory.
        modules: Folders of modules; ``NAME=FOLDER`` gives one a name.
        lang: Language of the texts.
        compose: The composition to measure; without it, the one module.
        baseline: Another composition of the same modules, whose paired difference is reported.
        head: The module whose head is read, where several have one.
        dtype: Type of the base's weights.
        controls: Whether controls that cost time are added.
        metrics: Names of further metrics; tasks with a task head take them.
        windows: What becomes of a text longer than the base reads, for tasks that compare vectors:
            ``first``, ``mean`` or ``max``.
        report: Receives messages for people, a line at a time.
    """

    base: str
    data: str | InMemory
    modules: tuple[str, ...] = ()
    lang: str | None = None
    compose: str | None = None
    baseline: str | None = None
    head: str | None = None
    dtype: str = "auto"
    controls: bool = False
    metrics: tuple[str, ...] = ()
    windows: str | None = None
    report: Report = lambda _: None

    def open_base(self) -> Encoder:
        """Load the base, which reads longer texts as the request says.

        Raises:
            UserError: If there is no such base.
        """
        encoder = Encoder.from_pretrained(self.base, dtype=self.dtype)
        return encoder.adjusted(windows=self.windows)

    @property
    def tag(self) -> str | None:
        """The language as BCP-47, if a language is named.

        Raises:
            UserError: If the name is no language tag.
        """
        return None if self.lang is None else normalise(self.lang)

    def source(
        self, lang: str, pivot: str, columns: str | None = None, file_format: str | None = None
    ) -> Source:
        """Return the source of parallel text in two languages."""
        table = self.data if isinstance(self.data, InMemory) else None
        return Source(str(self.data), lang, pivot, columns, file_format, table=table)


class Task(ABC):
    """A task by which a module is measured.

    Attributes:
        name: The name of its file; ``xadapt evaluate NAME``.
        title: One line for the command's help.
        record: The type of its records; the task evaluates training on such records.
        metrics: Names of its scores; selection uses the first one.
        task_type: The Hub's name for such tasks.
        head: The kind of task head that answers the task; none where vectors answer the task.
        by_vectors: Whether vectors answer the task at any number of their first values, with or
            without a head. Its ``evidence`` then takes ``dimensions``.
        shared: The options that the task takes among ``module``, ``compose``, ``baseline``,
            ``head``, ``controls``, ``metric`` and
            ``windows``.
        data_help: Description of ``--data``, for the command's help.
        default_data: Data that is read without ``--data``; none makes the option required.
        lang_help: Description of ``--lang``, for the command's help.
        short: Shorter names of systems and measures for tables.
        details_title: Title of the details of a system, such as ``F1 by class``.
        evidence_metrics: The measures that a run claims, with their names in the manifest. If
            empty, a run claims all measures.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    record: ClassVar[type[Record]]
    metrics: ClassVar[tuple[str, ...]]
    task_type: ClassVar[str] = "other"
    head: ClassVar[str | None] = None
    by_vectors: ClassVar[bool] = False
    shared: ClassVar[tuple[str, ...]] = ("module", "compose", "baseline", "head")
    data_help: ClassVar[str]
    default_data: ClassVar[str | None] = None
    lang_help: ClassVar[str] = "Language of the texts, where the composition chooses by it."
    short: ClassVar[Mapping[str, str]] = {}
    details_title: ClassVar[str] = ""
    evidence_metrics: ClassVar[Mapping[str, str]] = {}

    @property
    def unit(self) -> str:
        """The name of a row, in the plural."""
        return self.record.unit

    @abstractmethod
    def evaluate(
        self,
        rows: Sequence[Any],
        systems: Mapping[str, Any],
        *,
        base: Any = None,
        resamples: int = RESAMPLES,
        seed: int = 0,
    ) -> Result:
        """Score systems on records, and the baselines after them.

        Args:
            rows: Records with their right answers.
            systems: Predictions for the records by system name.
            base: The system the others are compared with.
            resamples: Number of bootstrap samples over rows.
            seed: Seed of the bootstrap.

        Raises:
            UserError: If there are no rows, or a system's predictions don't fit them.
        """

    @abstractmethod
    def oracle(self, rows: Sequence[Any]) -> Any:
        """Return the predictions of a system that knows the right answers."""

    @abstractmethod
    def chance(self, rows: Sequence[Any], seed: int = 0) -> Any:
        """Return random predictions: of the right kind, and independent of the records.

        Args:
            rows: Records of the task.
            seed: Seed of the predictions.
        """

    def baselines(self, rows: Sequence[Any], **settings: Any) -> dict[str, Any]:
        """Return predictions of systems without training, by name.

        Args:
            rows: Records of the task.
            settings: Options of the task that change what is predicted.
        """
        return {}

    @abstractmethod
    def measure(self, request: Request) -> Result:
        """Read the data, load the modules and score them.

        Keyword-only parameters annotated with an `Option` are options of the command.

        Raises:
            UserError: If an option or the data is wrong.
        """

    @abstractmethod
    def scores(
        self, trainer: Trainer, dev: Sequence[Any], cache: Kept | None = None
    ) -> dict[str, float]:
        """Score the current module of a run; ``score`` is maximised.

        Args:
            trainer: The run.
            dev: Records that the module is not trained on.
            cache: Cached states from which the forwards may start.
        """

    @abstractmethod
    def evidence(
        self,
        encoder: Encoder,
        module: nn.Module,
        dev: Sequence[Any],
        head: Head | None,
        cache: Kept | None = None,
    ) -> list[Evidence]:
        """Measure the claims of a finished run, with an interval and controls.

        Args:
            encoder: The frozen encoder.
            module: The module; for a task, the whole composition in which the module was trained.
            dev: Records that the module was not trained on.
            head: The task head that was trained with the module.
            cache: Cached states from which the forwards may start.
        """

    def heading(self, result: Result) -> str:
        """Return the title of the table."""
        return f"{result.count} {result.unit}"

    def table(self, result: Result) -> Table:
        """Render the result for people, within 80 columns."""
        return comparison_table(
            result, self.heading(result), self.short, self.details_title, MODULE
        )

    def to_evidence(
        self, result: Result, system: str = MODULE, base: str | None = None, **more: Any
    ) -> list[Evidence]:
        """Turn the scores of one system into claims, one a measure; the other rows become controls.

        Args:
            result: The scores on the development part.
            system: The system with the claimed scores.
            base: The system that is the frozen base.
            more: Further fields of all claims.
        """
        own = result[system]
        controls = [row for row in result.rows if row.system not in (system, base)]
        return [
            Evidence(
                task=self.name,
                task_type=self.task_type,
                data="development split",
                metric=self.evidence_metrics.get(measure, measure),
                value=own.scores[measure].mean,
                base=result[base].scores[measure].mean if base is not None else None,
                controls={row.system: row.scores[measure].mean for row in controls},
                interval=(own.scores[measure].low, own.scores[measure].high),
                rows=result.count,
                **more,
            )
            for measure in result.measures
            if not self.evidence_metrics or measure in self.evidence_metrics
        ]


def find(name: str) -> Task:
    """Find a task by name.

    Raises:
        UserError: If no task has that name. The error suggests the nearest name.
    """
    part = registry.load("tasks", name)
    found: Task = _instance(part) if isinstance(part, type) else part
    return found


@cache
def _instance(part: type[Task]) -> Task:
    return part()


def of_record(record: type, head: str | None = None) -> Task | None:
    """Find the task that evaluates training on records of a type, if there is one.

    Args:
        record: The type of the records. A task of a base of this type takes them too.
        head: The kind of head that is trained. A task that this head answers comes first, then
            tasks without a head. Among equals, tasks of xadapt come first.
    """
    names = sorted(registry.names("tasks"), key=lambda name: not registry.is_shipped("tasks", name))
    tasks = [find(name) for name in names]
    by_class = ([task for task in tasks if task.record is kind] for kind in record.__mro__)
    found = next(filter(None, by_class), [])
    answered = [task for task in found if head is not None and task.head == head]
    headless = [task for task in found if task.head is None or (task.by_vectors and head is None)]
    return next(iter((*answered, *headless)), None)


def read_rows(
    reader: str,
    data: str | InMemory,
    *tags: str | None,
    options: Mapping[str, Any] | None = None,
) -> list[Any]:
    """Read all records of a source as rows of a language, or of two languages for pairs.

    Args:
        reader: The reader of files.
        data: A file, ``hf:org/name``, or data in memory.
        tags: The language, or the languages of both sides.
        options: Options of the reader.

    Raises:
        UserError: If the source is unusable.
    """
    part = registry.load("readers", reader)
    if isinstance(data, str) and data.startswith("hf:") and part.gives is not ParallelPair:
        data = HubRows(data)
    if isinstance(data, InMemory):
        first, *more = (tag for tag in (*tags, None))
        request = PairRequest(first or "und", more[0] or first or "und")
        return list(read_in_memory(data, reader, request, LoggedNotes(), options))
    return list(build_reader(part, options or {}).read(data, *tags))


def options_of(task: Task) -> dict[str, tuple[Any, Any, Option]]:
    """Return the options a task adds: type, default and description by parameter."""
    hints = get_type_hints(type(task).measure, include_extras=True)
    return {
        name: (hints[name].__origin__, parameter.default, described[0])
        for name, parameter in inspect.signature(task.measure).parameters.items()
        if (described := [m for m in getattr(hints[name], "__metadata__", ()) if _is_option(m)])
    }


def _is_option(value: object) -> bool:
    return isinstance(value, Option)
