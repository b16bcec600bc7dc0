"""``annotate``: labelled data from texts, made by language models and checked row by row."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from xadapt.core.errors import UserError
from xadapt.core.files import atomic_file, sha256_file
from xadapt.core.journal import Journal, open_journal
from xadapt.core.progress import meter
from xadapt.integrations.language_models.client import (
    Client,
    NoAnswerError,
    OutOfReachError,
    open_client,
)
from xadapt.integrations.language_models.protocol import LanguageModel
from xadapt.pipelines.row_workers import TEMPORARY, WORKERS, work_on_rows
from xadapt.pipelines.text_rows import TextRow, read_text_rows

COMMON = 12
"""Labels that a result tells, the most frequent first."""


class RejectedError(Exception):
    """A row that is left out; the text says why."""


@dataclass
class Made:
    """What a task made of one row.

    Attributes:
        row: The row to write.
        counts: Numbers to add up over the rows.
        labels: The labels in it.
    """

    row: dict[str, Any]
    counts: dict[str, int] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)


class AnnotationTask(Protocol):
    """A task of ``annotate``: the work on one row.

    Attributes:
        identity: What decides the rows besides the data and the models.
    """

    @property
    def identity(self) -> Mapping[str, Any]:
        """What decides the rows besides the data and the models."""
        ...

    def check(self, models: int) -> None:
        """Refuse a number of language models that does not fit.

        Raises:
            UserError: If the number is refused.
        """
        ...

    def rows(self, rows: Iterator[TextRow]) -> Iterator[TextRow]:
        """Return the rows to work on; one row may become several."""
        ...

    def make(self, row: TextRow, clients: Sequence[Client]) -> Made:
        """Annotate a row.

        Args:
            row: The row.
            clients: The language models.

        Raises:
            RejectedError: If the row is left out.
            NoAnswerError: If a model gives no usable reply.
        """
        ...


@dataclass
class AnnotateResult:
    """What became of the rows.

    Attributes:
        rows: Rows that were worked on.
        accepted: Rows that were written.
        rejected: Rows that were left out; the log has the reason of each.
        reasons: By the first words of a reason, how many rows were rejected.
        counts: Numbers of the task, over the accepted rows.
        labels: The most frequent labels.
        different_labels: Number of different labels.
        models: By model, what was asked in this session.
    """

    rows: int = 0
    accepted: int = 0
    rejected: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    different_labels: int = 0
    models: list[dict[str, Any]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [f"{self.rows:,} rows: {self.accepted:,} accepted, {self.rejected:,} rejected"]
        if self.counts:
            lines.append(", ".join(f"{count:,} {name}" for name, count in self.counts.items()))
        if self.labels:
            some = ", ".join(f"{name} {count:,}" for name, count in self.labels.items())
            lines.append(f"{self.different_labels:,} labels: {some}")
        lines += [f"rejected: {count:,} because {why}" for why, count in self.reasons.items()]
        return "\n".join(lines)


def annotate(
    data: str | Path,
    out: str | Path,
    *,
    task: AnnotationTask,
    models: Sequence[str | LanguageModel | Client],
    lang: str | None = None,
    log: str | Path | None = None,
    key_env: Sequence[str] = (),
    price: tuple[float, float] | None = None,
    workers: int = WORKERS,
    show: bool = False,
) -> AnnotateResult:
    """Annotate texts by language models. Every row ends accepted, or rejected with a reason.

    Replies are kept on disk as they come, and finished rows in the folder ``OUT.work``: the same
    call goes on after an interruption, and asks no question twice that was answered. Output and log
    appear whole, at the end.

    Args:
        data: JSON lines with ``text``, perhaps ``id`` and ``lang``; or a text on each line.
        out: File to write, a row of JSON on each line.
        task: What is annotated, such as `xadapt.pipelines.annotate_entities.Entities`.
        models: Language models, as text (``openai:MODEL@URL``, ``local:FOLDER``,
            ``file:REPLIES.jsonl``) or as objects. What each does is the task's matter.
        lang: Language of rows that name none.
        log: File with a line for each rejected row; without it, ``OUT.log.jsonl``.
        key_env: Environment variables with the keys of endpoints: one for all, or one for each
            model.
        price: Price of a million tokens of questions, and of replies.
        workers: Rows that are worked on at a time.
        show: Whether progress is shown.

    Returns:
        The counts.

    Raises:
        UserError: If a file can't be read or written or holds no row, a row is malformed, a model
            can't be opened or is out of order, a file of replies lacks replies, or the folder holds
            work with other options.
    """
    out = Path(out)
    with ExitStack() as stack:
        clients = clients_of(models, key_env, price)
        for client, given in zip(clients, models, strict=True):
            if client is not given:
                stack.callback(client.close)
        task.check(len(clients))
        identity = {
            "data": sha256_file(data) if Path(data).is_file() else "",
            "lang": lang,
            "models": [identity_of(client) for client in clients],
            **task.identity,
        }
        journal = stack.enter_context(
            open_journal(out.with_name(f"{out.name}.work"), json.loads(json.dumps(identity)))
        )
        with meter("annotating rows", None, show=show) as bar:
            bar.skip(len(journal))

            def work(row: TextRow) -> dict[str, Any]:
                return _entry(task, row, clients)

            rows = task.rows(read_text_rows(str(data), lang))
            work_on_rows(rows, work, journal, clients, workers=workers, advance=bar.advance)
        if not len(journal):
            journal.remove()
            raise UserError("the file holds no row", where=str(data))
        result = _write(journal, out, log_path(out, log))
        journal.remove()
    result.models = [{**client.facts, **client.usage.to_dict()} for client in clients]
    return result


def log_path(out: Path, log: str | Path | None) -> Path:
    """Return the path of the log."""
    return Path(log) if log is not None else out.with_name(f"{out.name}.log.jsonl")


def clients_of(
    models: Sequence[str | LanguageModel | Client],
    key_env: Sequence[str] = (),
    price: tuple[float, float] | None = None,
) -> list[Client]:
    """Open a client for each model.

    Raises:
        UserError: If there is no model, one stands twice, the number of variables is wrong, or a
            model can't be opened.
    """
    if not models:
        raise UserError("no language model is named", where="--llm", todo="Name one")
    if len(key_env) > 1 and len(key_env) != len(models):
        raise UserError(
            f"{len(key_env)} variables for {len(models)} models", where="--api-key-env",
            todo="Name one for all, or one for each model",
        )  # fmt: skip
    names: list[str | None] = [*key_env] if len(key_env) > 1 else [*key_env, None][:1] * len(models)
    clients = [
        one if isinstance(one, Client) else open_client(one, key_env=name, price=price)
        for one, name in zip(models, names, strict=True)
    ]
    facts = [dict(client.facts) for client in clients]
    if any(one in facts[:i] for i, one in enumerate(facts)):
        raise UserError("one language model is named twice", where="--llm", todo="Name another")
    return clients


def identity_of(client: Client) -> dict[str, str]:
    """Return the facts of a model that unfinished work keeps; replies may be added to a file."""
    file = client.facts.get("language model") == "file"
    return {name: one for name, one in client.facts.items() if not (file and name == "sha256")}


def _entry(task: AnnotationTask, row: TextRow, clients: Sequence[Client]) -> dict[str, Any]:
    """Return what the journal keeps of a row."""
    temporary = False
    try:
        made = task.make(row, clients)
        return {"row": made.row, "counts": made.counts, "labels": made.labels}
    except (RejectedError, NoAnswerError) as error:
        temporary = isinstance(error, OutOfReachError)
        log = {"id": row.id, "line": row.number, "lang": row.lang, "outcome": "rejected",
               "reason": str(error)}  # fmt: skip
    return {"log": log, **({TEMPORARY: True} if temporary else {})}


def _write(journal: Journal, out: Path, log: Path) -> AnnotateResult:
    """Write output and log from the journal, a row at a time."""
    result = AnnotateResult()
    reasons: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    labels: Counter[str] = Counter()
    with (
        atomic_file(out) as file,
        atomic_file(log) as file_of_log,
        file.open("w", encoding="utf-8") as to,
        file_of_log.open("w", encoding="utf-8") as why,
    ):
        for entry in journal:
            result.rows += 1
            if "row" not in entry:
                result.rejected += 1
                reasons[entry["log"]["reason"].partition(":")[0].partition(" '")[0]] += 1
                why.write(json.dumps(entry["log"], ensure_ascii=False) + "\n")
                continue
            result.accepted += 1
            counts.update(entry["counts"])
            labels.update(entry["labels"])
            to.write(json.dumps(entry["row"], ensure_ascii=False) + "\n")
    result.reasons = dict(reasons.most_common())
    result.counts = {name: counts[name] for name in counts if counts[name]}
    result.labels = dict(labels.most_common(COMMON))
    result.different_labels = len(labels)
    return result
