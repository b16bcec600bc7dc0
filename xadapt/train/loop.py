"""The training loop: a module, and any heads of its objectives, on a frozen encoder."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import get_scheduler

from xadapt.attach import Attachment
from xadapt.backbones.bank import FrozenVectors
from xadapt.backbones.encoder import Encoder
from xadapt.errors import UserError
from xadapt.recipe import TrainSpec
from xadapt.train import checkpoint
from xadapt.train.batches import BatchPlan
from xadapt.train.forward import Forward
from xadapt.train.processes import Processes
from xadapt.train.progress import meter
from xadapt.train.tasks import Task

Score = Callable[[], Mapping[str, float]]


@dataclass
class Run:
    """What a run needs besides its tasks.

    Attributes:
        spec: The schedule.
        folder: Where checkpoint and ``metrics.jsonl`` go.
        seed: Of the data order and all draws.
        identity: What a resumed run must have been started with, such as data hashes.
        score: Development scores by name with the module attached; ``score`` is maximised.
        cache: Folder of the frozen vectors; ``None`` keeps them in memory.
        show: Whether progress is shown.
    """

    spec: TrainSpec
    folder: Path
    seed: int = 0
    identity: Mapping[str, Any] = field(default_factory=dict)
    score: Score | None = None
    cache: Path | None = None
    show: bool = True


class Trainer:
    """Trains one module.

    Args:
        encoder: The frozen encoder.
        module: The module; it is attached for the time of the training.
        tasks: Objectives with their records.
        run: Schedule, folder and callables.
    """

    def __init__(
        self, encoder: Encoder, module: nn.Module, tasks: Sequence[Task], run: Run
    ) -> None:
        self.encoder, self.module, self.tasks, self.run = encoder, module, tasks, run
        self.processes = Processes(cpu=encoder.device.type == "cpu")
        self.attachment = Attachment(encoder, module.to(encoder.device))
        self.frozen = FrozenVectors(encoder, run.cache)
        self.forward = Forward(
            encoder, self.attachment, self.frozen, self.processes, run.spec.batch_tokens
        )
        heads = nn.ModuleDict(
            {str(i): h for i, t in enumerate(tasks) if (h := t.make_heads(encoder.width))}
        )
        self.trained = nn.ModuleDict({"module": module, "heads": heads.to(encoder.device)})
        self.plans = self._plans()
        self.steps = self.plans[tasks[0].data].per_epoch * run.spec.epochs
        self.optimizer = torch.optim.AdamW(
            self.trained.parameters(),
            lr=run.spec.learning_rate,
            weight_decay=run.spec.weight_decay,
        )
        self.progress = checkpoint.Progress(identity=dict(run.identity))
        self.best: dict[str, Tensor] = {}
        self.prepare_seconds = 0.0

    def train(self, resume: bool = False) -> checkpoint.Progress:
        """Run to the end, or go on where a checkpoint stands. The module holds the best weights.

        Raises:
            UserError: The loss or the gradient is not finite, or the checkpoint doesn't fit.
            KeyboardInterrupt: After Ctrl-C, with a checkpoint of the last whole step written.
        """
        spec = self.run.spec
        if resume:
            self.progress, self.best = checkpoint.load(
                self.run.folder, self.trained, self.optimizer, self.run.identity
            )
        self._log_from(self.progress.step)
        if not self.progress.finished:
            self._prepare()
            rates = get_scheduler(
                spec.schedule, self.optimizer, round(spec.warmup * self.steps), self.steps
            )
            rates.last_epoch = self.progress.step - 1
            rates.step()
            self._sit(rates)
        if self.best:
            self.module.load_state_dict(self.best)
        self.attachment.remove()
        return self.progress

    def _sit(self, rates: Any) -> None:
        spec, progress = self.run.spec, self.progress
        marks = {round(self.steps * (i + 1) / spec.evaluations) for i in range(spec.evaluations)}
        began = saved = time.monotonic()
        before = progress.seconds
        show = self.run.show and self.processes.main
        with _interrupts() as stop, meter("training", self.steps, show) as bar:
            bar.skip(progress.step)
            while progress.step < self.steps and not progress.finished:
                row = self._step(rates)
                progress.seconds = before + time.monotonic() - began
                self._log({**row, "seconds": round(progress.seconds, 3)})
                bar.advance(note=f"loss {row['loss']:.3f}")
                if progress.step in marks:
                    self._evaluate()
                late = time.monotonic() - saved > spec.checkpoint_seconds
                if late or stop or progress.step in marks:
                    self._save()
                    saved = time.monotonic()
                if stop:
                    raise KeyboardInterrupt
        progress.finished = True
        self._save()

    def _step(self, rates: Any) -> dict[str, Any]:
        step = self.progress.step
        batches = {name: plan.batch(step) for name, plan in self.plans.items()}
        made = [
            task.views(
                batches[task.data],
                self._draws(number, step),
                self._services(number),
                self.processes,
            )
            for number, task in enumerate(self.tasks)
        ]
        encoded = self.forward([request for views in made for request in views.requests])
        total = torch.zeros((), device=self.encoder.device)
        row: dict[str, Any] = {"step": step + 1, "lr": rates.get_last_lr()[0]}
        for number, (task, views) in enumerate(zip(self.tasks, made, strict=True)):
            own = [encoded.pop(0) for _ in views.requests]
            loss, shown = task.loss(views, own, self._services(number), self.processes)
            total = total + task.weight * loss
            row |= {
                f"loss/{task.name}" if k == "loss" else f"{task.name}/{k}": v
                for k, v in shown.items()
            }
        row["loss"] = sum(t.weight * row[f"loss/{t.name}"] for t in self.tasks)
        self._update(total, rates)
        self.progress.step += 1
        return row

    def _update(self, total: Tensor, rates: Any) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        parameters = list(self.trained.parameters())
        self.processes.average_gradients(parameters)
        norm = nn.utils.clip_grad_norm_(parameters, self.run.spec.clip or float("inf"))
        if not torch.isfinite(norm):
            raise UserError(
                f"the gradient is not finite at step {self.progress.step + 1}",
                todo="Lower train.learning_rate, or use dtype: float32",
            )
        self.optimizer.step()
        rates.step()

    def _prepare(self) -> None:
        """Encode every row that never meets the module, and build the banks."""
        began = time.monotonic()
        wanted = [
            text
            for number, task in enumerate(self.tasks)
            for text in task.constant_texts(self._services(number))
        ]
        missing = self.frozen.missing(wanted)
        with meter(
            "encoding frozen sentences", missing, self.run.show and self.processes.main
        ) as bar:
            if self.processes.main:
                self.frozen.add(wanted, bar.advance)
        self.processes.wait()
        self.frozen.add(wanted)
        for task in self.tasks:
            task.make_bank(self.frozen)
        self.prepare_seconds = time.monotonic() - began

    def _evaluate(self) -> None:
        if self.run.score is None:
            return
        with torch.random.fork_rng(devices=[]):
            scores = dict(self.run.score())
        progress = self.progress
        self._log({"step": progress.step, "dev": scores})
        if scores["score"] > progress.best_score:
            progress.best_score, progress.best_step, progress.stale = (
                scores["score"],
                progress.step,
                0,
            )
            self.best = {k: v.detach().cpu().clone() for k, v in self.module.state_dict().items()}
        else:
            progress.stale += 1
        patience = self.run.spec.patience
        progress.finished = bool(patience and progress.stale >= patience)

    def _plans(self) -> dict[str, BatchPlan]:
        plans = {}
        for task in self.tasks:
            if task.data not in plans:
                seed = f"{self.run.seed}:{task.data}"
                plans[task.data] = BatchPlan(task.lengths(), self.run.spec.batch_size, seed)
        return plans

    def _draws(self, number: int, step: int) -> random.Random:
        return random.Random(f"{self.run.seed}:{number}:{step}")

    def _services(self, number: int) -> dict[str, Any]:
        heads = self.trained["heads"]
        return {
            "tokenizer": self.encoder.tokenizer,
            "tokenize": self.forward.tokenize,
            "lm_head": self._lm_head,
            "heads": dict(heads.items()).get(str(number)),
            "step": self.progress.step,
        }

    def _lm_head(self, states: Tensor) -> Tensor:
        return self.encoder.mlm_head()(states)

    def _save(self) -> None:
        if self.processes.main:
            checkpoint.save(self.run.folder, self.progress, self.trained, self.optimizer, self.best)

    @property
    def _metrics(self) -> Path:
        return self.run.folder / "metrics.jsonl"

    def _log(self, row: Mapping[str, Any]) -> None:
        if self.processes.main:
            with self._metrics.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row) + "\n")

    def _log_from(self, step: int) -> None:
        """Cut what an interrupted sitting logged after its last checkpoint."""
        if not self.processes.main:
            return
        rows = read_metrics(self._metrics) if step else []
        kept = [json.dumps(row) + "\n" for row in rows if row["step"] <= step]
        self._metrics.write_text("".join(kept), encoding="utf-8")


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The rows of a ``metrics.jsonl``; a last line that was cut is left out."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Collect Ctrl-C and SIGTERM, so that a step is never cut in the middle."""
    caught: list[int] = []
    before = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            before[number] = signal.signal(number, lambda n, _: caught.append(n))
        except ValueError:  # not in the main thread
            continue
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
