"""Tasks that a task head answers: their shared prediction, scoring and evidence."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from torch import nn

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encode import Rows
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core import registry
from xadapt.evaluation.comparison import Result
from xadapt.evaluation.metrics.protocol import find as find_metric
from xadapt.evaluation.metrics.protocol import with_metrics
from xadapt.heads.head import LINEAR as LINEAR
from xadapt.heads.head import LOAD_HEAD as LOAD_HEAD
from xadapt.heads.head import Head, HeadCard
from xadapt.hub.manifest import Evidence
from xadapt.inference.shared_states import shared_cache
from xadapt.tasks.development import head_of
from xadapt.tasks.predictor import (
    BASELINE,
    MODULE,
    Languages,
    Predictor,
    load_each,
)
from xadapt.tasks.protocol import RESAMPLES, Report, Request, Task, find, read_rows
from xadapt.training.active_module import ActiveModule

if TYPE_CHECKING:
    from xadapt.training.loop import Trainer


class HeadTask(Task):
    """A task that a head answers, one prediction for each record.

    Attributes:
        predictor: The predictor class that reads the head.
        reader: The reader of ``--data``.
        read_as: The language records are read as where none is named.
        does: Verb phrase about the head for the card, in which ``{}`` is the number of
            labels.
        example: One line of code that names an input, and the arguments of the tokenizer. Without
            an example the head reads texts.
    """

    shared: ClassVar[tuple[str, ...]] = (*Task.shared, "metric")
    predictor: ClassVar[type[Predictor]]
    reader: ClassVar[str]
    read_as: ClassVar[str] = "und"
    does: ClassVar[str] = "gives scores of {} labels"
    example: ClassVar[tuple[str, str] | None] = None

    @abstractmethod
    def predict(
        self, encoder: Encoder, head: Head, rows: Sequence[Any], active: Rows | None = None
    ) -> Any:
        """Predict the answer for each record.

        Args:
            encoder: The encoder.
            head: The head.
            rows: Records; their right answers are not read.
            active: As ``rows`` of `xadapt.backbones.encoder.encode.encode`.

        Returns:
            One prediction a record, in the form that `evaluate` takes.
        """

    def language(self, row: Any) -> str:
        """Return the language by which a composition chooses for a record."""
        return str(row.lang)

    def settings(self, head: Head) -> dict[str, Any]:
        """Return further arguments of `evaluate` that depend on the head."""
        return {}

    def references(
        self, encoder: Encoder, rows: Sequence[Any], cache: Kept | None = None
    ) -> dict[str, Any]:
        """Return the frozen base's predictions by name, where the base predicts without a head."""
        return {}

    def check(self, rows: Sequence[Any], head: Head, report: Report) -> None:
        """Compare the data with the head before anything is computed.

        Raises:
            UserError: If the head can answer none of the data.
        """

    def card(self, head: Head) -> HeadCard:
        """Return the part of a module's card that describes its head."""
        return HeadCard(
            evaluate=self.name,
            task_type=self.task_type,
            does=self.card_text(head),
            example=self.example,
            code=tuple(self.code(head)),
        )

    def card_text(self, head: Head) -> str:
        """Return the verb phrase about the head for the card."""
        text = self.does.format(len(head.labels))
        if head.fused is None or head.fused[0] == head.fused[1]:
            return text
        return f"{text}; layers {head.fused[0] + 1} to {head.fused[1]} read it with its translation"

    def calibrate(
        self,
        encoder: Encoder,
        module: nn.Module,
        dev: Sequence[Any],
        head: Head,
        cache: Kept | None = None,
    ) -> None:
        """Set what a head takes from the development part of a finished run, such as thresholds.

        The arguments are those of `evidence`.
        """

    def code(self, head: Head) -> list[str]:
        """Return the lines of code from ``states`` to predictions, for the card.

        ``{labels}`` in a line stands for the list of labels.
        """
        return ["# xadapt.tasks reads the head of this folder off these states"]

    def read(self, request: Request) -> tuple[list[Any], Languages]:
        """Read the records, and the language of each where a language is named."""
        tag = request.tag
        rows = read_rows(self.reader, request.data, tag or self.read_as)
        return rows, None if tag is None else [tag] * len(rows)

    def measure(self, request: Request) -> Result:
        """Score the head under a composition, and under a baseline if there is one."""
        return self.measure_records(request, *self.read(request))

    def measure_records(
        self, request: Request, rows: Sequence[Any], languages: Languages
    ) -> Result:
        """Load the predictors and score them on records.

        Raises:
            UserError: If a folder is unusable, or no module has such a head.
        """
        each = load_each(
            self.predictor,
            request.base,
            request.modules,
            compose=request.compose,
            baseline=request.baseline,
            head=request.head,
            dtype=request.dtype,
        )
        head = each[MODULE].head
        self.check(rows, head, request.report)
        found = self.predict_each(each, rows, languages)
        base = BASELINE if BASELINE in each else None
        return self.score(request, rows, found, base, **self.settings(head))

    def score(
        self,
        request: Request,
        rows: Sequence[Any],
        systems: Mapping[str, Any],
        base: str | None = None,
        **settings: Any,
    ) -> Result:
        """Evaluate systems by the task's scores and by the metrics that a request names.

        Args:
            request: The request of the user.
            rows: Records.
            systems: Predictions by name.
            base: The system the others are compared with.
            settings: The settings, as returned by `settings`.
        """
        result = self.evaluate(rows, systems, base=base, **settings)
        metrics = [find_metric(name, self.name) for name in request.metrics]
        every = {**self.baselines(rows, **settings), **systems} if metrics else {}
        return with_metrics(result, metrics, rows, every)

    def predict_each(
        self, predictors: Mapping[str, Predictor], rows: Sequence[Any], languages: Languages = None
    ) -> dict[str, Any]:
        """Predict by several predictors on one base, which share the layers below their modules."""
        cache = shared_cache(*(one.adapted for one in predictors.values()))
        found = {}
        for name, one in predictors.items():
            active = one.adapted.activations(len(rows), languages, cache=cache)
            with active.named():
                found[name] = self.predict(one.adapted.encoder, one.head, rows, active)
        return found

    def scores(
        self, trainer: Trainer, dev: Sequence[Any], cache: Kept | None = None
    ) -> dict[str, float]:
        """Score the run's head under the current module, by the first measure."""
        head = head_of(trainer, self.head)
        assert head is not None
        claims = self._claims(trainer.encoder, trainer.active_module, head, dev, 1, cache)
        return {"score": claims[0].value}

    def evidence(
        self,
        encoder: Encoder,
        module: nn.Module,
        dev: Sequence[Any],
        head: Head | None,
        cache: Kept | None = None,
    ) -> list[Evidence]:
        """Measure the head on held-out records, with an interval and the baselines."""
        assert head is not None
        return self._claims(encoder, ActiveModule(encoder, module), head, dev, RESAMPLES, cache)

    def _claims(
        self,
        encoder: Encoder,
        acting: ActiveModule,
        head: Head,
        dev: Sequence[Any],
        resamples: int,
        cache: Kept | None,
    ) -> list[Evidence]:
        active = acting.rows([self.language(row) for row in dev], cache)
        found = self.predict(encoder, head, dev, active)
        others = self.references(encoder, dev, cache)
        systems = {MODULE: found, **others}
        result = self.evaluate(dev, systems, resamples=resamples, **self.settings(head))
        return self.to_evidence(result, base=next(iter(others), None))


def with_card(head: Head) -> Head:
    """Add the card of its task to a head without a card, if the task is installed."""
    task = of_head(head.task)
    if head.card is None and task is not None:
        head.card = task.card(head)
    return head


def of_head(kind: str) -> HeadTask | None:
    """Find the task for a kind of head, if one is installed; tasks of xadapt come first."""
    names = registry.names("tasks")
    for name in sorted(names, key=lambda name: not registry.is_shipped("tasks", name)):
        task = find(name)
        if isinstance(task, HeadTask) and task.head == kind:
            return task
    return None
