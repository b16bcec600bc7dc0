"""The training loop: a module, and any heads of its objectives, on a frozen base."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import get_scheduler

from xadapt.backbones.cache.folder import remove_pins
from xadapt.backbones.cache.frozen_vectors import FrozenVectors
from xadapt.backbones.cache.prefix_states import PrefixStates
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.frozen_model import FrozenModel
from xadapt.backbones.seq2seq.seq2seq import Seq2Seq
from xadapt.core.distributed import DistributedContext
from xadapt.core.errors import UserError
from xadapt.core.progress import meter
from xadapt.modules.hooks import penalties, watch
from xadapt.objectives.contract import asks_for
from xadapt.training import checkpoint
from xadapt.training.active_module import ActiveModule
from xadapt.training.base_run import BaseRun
from xadapt.training.batches import BatchPlan
from xadapt.training.encoder_run import EncoderRun, encoder_of
from xadapt.training.events import Events
from xadapt.training.interrupts import interruption, interrupts
from xadapt.training.metrics_log import FILE as METRICS
from xadapt.training.metrics_log import MetricsLog
from xadapt.training.seq2seq_run import Seq2SeqRun
from xadapt.training.settings import Companion, DivergedError, Run
from xadapt.training.tasks import Task, make_heads

PINS = "activations"
SCHEDULES = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}


class Trainer:
    """The trainer of one module, used once. The base does not change.

    What depends on the kind of the base is in its `BaseRun`.

    Args:
        base: The frozen encoder or encoder-decoder.
        module: The module.
        tasks: Objectives with their records.
        run: Schedule, folder and callables.
        companions: Frozen modules that views may name.
        inside: Compositions of the module with other, frozen modules. They act in the module's
            place and take turns from step to step.

    Attributes:
        of_base: The base of the run: how its views are encoded, what objectives may name.
        held_out: Cache of states of the held-out rows, kept from one evaluation to the next.
        pins: Folder of the cached activations that the run used. A resumed run uses the same
            activations. The folder is removed when the run ends.

    Raises:
        UserError: If an objective needs a head that the base lacks, or a companion that is not
            given.
    """

    def __init__(
        self,
        base: FrozenModel,
        module: nn.Module,
        tasks: Sequence[Task],
        run: Run,
        companions: Mapping[str, Companion] | None = None,
        inside: Sequence[nn.Module] = (),
    ) -> None:
        self.base, self.module, self.tasks, self.run = base, module, tasks, run
        self.companions = companions or {}
        self.processes = DistributedContext(cpu=base.device.type == "cpu")
        self.log = MetricsLog(run.folder / METRICS, self.processes.main)
        self.turns = [ActiveModule(base, whole) for whole in inside or (module,)]
        self.pins = run.folder / PINS
        given = (self.turns[0], run, self.processes, self.companions, self.pins)
        self.of_base: BaseRun = (
            Seq2SeqRun(base, *given) if isinstance(base, Seq2Seq) else EncoderRun(base, *given)
        )
        self.of_base.require(tasks, self.turns)
        known = {
            "companions": {name: other.heads for name, other in self.companions.items()},
            **self.of_base.head_services,
        }
        heads = make_heads(tasks, base.width, run.seed, known).to(base.device)
        self.trained = nn.ModuleDict({"module": module, "heads": heads})
        self.plans = self._plans()
        self.steps = self.plans[tasks[0].data].per_epoch * run.spec.epochs
        self.optimizer = torch.optim.AdamW(
            self.trained.parameters(),
            lr=run.spec.learning_rate,
            weight_decay=run.spec.weight_decay,
            fused=True,
        )
        self.progress = checkpoint.Progress(identity=dict(run.identity))
        self.best: dict[str, Tensor] = {}
        self.prepare_seconds = 0.0
        self.held_out: PrefixStates | None = None
        self.events = Events(run, self.processes, self.steps, self.plans[tasks[0].data].per_epoch)
        self._require_companions()
        for number, task in enumerate(tasks):
            for view in task.first_views(self._services(number)):
                if view.module is True and not self.active_module.reaches(view.layer):
                    raise UserError(
                        f"{task.name} reads states below the module's first part, so the module "
                        "can't learn from it",
                        todo="Use a kind that acts on word embeddings, such as embedding_map",
                    )

    def _require_companions(self) -> None:
        """Refuse a companion that is missing, lacks the required head, or is not used."""
        used: set[str] = set()
        for number, task in enumerate(self.tasks):
            reads_heads = asks_for(task.objective, "companions")
            for name in task.teachers(self._services(number)):
                if name not in self.companions:
                    raise UserError(
                        f"{task.name} learns from the companion {name!r}, and there is none",
                        todo="Name it under companions in the recipe, then give "
                        f"--companion {name}=FOLDER",
                    )
                if reads_heads and self.companions[name].heads is None:
                    raise UserError(
                        f"{task.name} reads the head of the companion {name!r}, and it has none",
                        todo=f"Set companions.{name}.head: true in the recipe",
                    )
                used.add(name)
            used |= set(self.companions) if reads_heads else set()
        idle = sorted(set(self.companions) - used)
        if idle:
            raise UserError(f"no objective learns from the companion {idle[0]!r}", todo="Remove it")

    @property
    def encoder(self) -> Encoder:
        """The base, where it is an encoder."""
        return encoder_of(self.base)

    @property
    def forward(self) -> Any:
        """The encoder of the views of a step."""
        return self.of_base.forward

    @property
    def frozen(self) -> FrozenVectors:
        """The source of the vectors of rows without the module, where the base is an encoder."""
        assert isinstance(self.of_base, EncoderRun)
        return self.of_base.frozen

    @property
    def active_module(self) -> ActiveModule:
        """The module on the encoder, inside the first composition if there are compositions."""
        return self.turns[0]

    def train(self, resume: bool = False) -> checkpoint.Progress:
        """Train to the end, or continue from a checkpoint.

        Afterwards the module holds the best weights.

        Raises:
            DivergedError: If the loss or the gradient is not finite.
            UserError: If the checkpoint doesn't fit.
            KeyboardInterrupt: If Ctrl-C was pressed; a checkpoint of the last whole step is
                written. After SIGTERM, `Terminated` is raised.
        """
        self.run.folder.mkdir(parents=True, exist_ok=True)
        if resume:
            self.progress, self.best = checkpoint.load(
                self.run.folder, self.trained, self.optimizer, self.run.identity
            )
        self.log.cut(self.progress.step)
        if not self.progress.finished:
            self._prepare()
            rates = self._rates()
            events = self.events.open(
                self.module, self.base.tokenizer, self.progress, self.run.score is not None,
                optimizer=self.optimizer, lr_scheduler=rates,
            )  # fmt: skip
            with self.of_base.compiled(self.run.spec.compile), events:
                self._sit(rates)
        if self.best:
            self.trained.load_state_dict(self.best)
        self._unpin()
        return self.progress

    def _unpin(self) -> None:
        self.of_base.unpin()
        if self.held_out is not None:
            self.held_out.unpin()
        if self.processes.main:
            remove_pins(self.pins)

    def _rates(self) -> Any:
        """Return the learning-rate schedule at the current step of the run."""
        spec, done = self.run.spec, self.progress.step
        warmup = round(spec.warmup * self.steps)
        rates = get_scheduler(SCHEDULES[spec.schedule], self.optimizer, warmup, self.steps)
        rates.last_epoch = done
        lambdas = zip(self.optimizer.param_groups, rates.base_lrs, rates.lr_lambdas, strict=True)
        for group, peak, share in lambdas:
            group["lr"] = peak * share(done)
        return rates

    def _sit(self, rates: Any) -> None:
        spec, progress = self.run.spec, self.progress
        marks = {round(self.steps * (i + 1) / spec.evaluations) for i in range(spec.evaluations)}
        began = saved = time.monotonic()
        before = progress.seconds
        show = self.run.show and self.processes.main
        with interrupts() as stop, meter("training", self.steps, show) as bar:
            bar.skip(progress.step)
            if self.run.begins_trained and not progress.step:
                self._evaluate()
            while progress.step < self.steps and not progress.finished:
                self.events.step_begins(progress.step)
                row = self._step(rates)
                progress.seconds = before + time.monotonic() - began
                row |= {"seconds": round(progress.seconds, 3)}
                self.log.add(row)
                asked = self.events.step_ends(row)
                bar.advance(note=f"loss {row['loss']:.3f}")
                mark = progress.step in marks
                if mark or asked.evaluate:
                    self._evaluate()
                late = time.monotonic() - saved > spec.checkpoint_seconds
                stopped = self.processes.any(bool(stop))
                progress.finished |= self.events.epoch_ends(progress.step)
                if late or stopped or mark or asked.save:
                    self._save()
                    saved = time.monotonic()
                    self.events.saved()
                if stopped:
                    raise interruption(stop)
        progress.finished = True
        self._save()

    def _step(self, rates: Any) -> dict[str, Any]:
        step = self.progress.step
        self.forward.active_module = self.turns[step % len(self.turns)]
        batches = {name: plan.batch(step) for name, plan in self.plans.items()}
        made = [
            task.views(
                batches[task.data],
                random.Random(f"{self.run.seed}:{number}:{step}"),
                self._services(number),
                self.processes,
            )
            for number, task in enumerate(self.tasks)
        ]
        watch(self.module)
        encoded = self.forward([request for views in made for request in views.requests])
        total = torch.zeros((), device=self.base.device)
        row: dict[str, Any] = {"step": step + 1, "lr": self.optimizer.param_groups[0]["lr"]}
        for number, (task, views) in enumerate(zip(self.tasks, made, strict=True)):
            own = [encoded.pop(0) for _ in views.requests]
            loss, shown = task.loss(views, own, self._services(number), self.processes)
            total = total + task.weight * loss
            row |= {
                f"loss/{task.name}" if k == "loss" else f"{task.name}/{k}": v
                for k, v in shown.items()
            }
        row["loss"] = sum(t.weight * row[f"loss/{t.name}"] for t in self.tasks)
        for name, penalty in penalties(self.module).items():
            total = total + penalty
            row[f"module/{name}"] = float(penalty.detach())
        self._update(total, rates)
        self.progress.step += 1
        return row

    def _update(self, total: Tensor, rates: Any) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        if total.requires_grad:  # a process may have no record in a short last batch
            total.backward()
        parameters = list(self.trained.parameters())
        self.processes.average_gradients(parameters)
        norm = nn.utils.clip_grad_norm_(parameters, self.run.spec.clip or float("inf"))
        if not torch.isfinite(norm):
            raise DivergedError(
                f"the gradient is not finite at step {self.progress.step + 1}",
                todo="Lower train.learning_rate, or use dtype: float32",
            )
        self.optimizer.step()
        rates.step()

    def _prepare(self) -> None:
        began = time.monotonic()
        services = [self._services(number) for number in range(len(self.tasks))]
        show = self.run.show and self.processes.main
        start = min(acting.first_layer for acting in self.turns)
        self.of_base.prepare(self.tasks, services, start, show)
        self.prepare_seconds = time.monotonic() - began

    def _evaluate(self) -> None:
        if self.run.score is None:
            return
        scores = self.processes.from_main(self._scores)
        progress = self.progress
        row = {"step": progress.step, "dev": scores}
        self.log.add(row)
        self.events.evaluated(row)
        if scores["score"] > progress.best_score:
            progress.best_score, progress.best_step = scores["score"], progress.step
            progress.stale = 0
            self.best = {k: v.detach().cpu().clone() for k, v in self.trained.state_dict().items()}
        else:
            progress.stale += 1
        self.events.best(progress)
        patience = self.run.spec.patience
        progress.finished = bool(patience and progress.stale >= patience)

    def _scores(self) -> dict[str, float]:
        assert self.run.score is not None
        with torch.random.fork_rng(devices=[]):
            return dict(self.run.score())

    def _plans(self) -> dict[str, BatchPlan]:
        size, seed, tokenize = self.run.spec.batch_size, self.run.seed, self.of_base.tokenize
        plans = {}
        for task in self.tasks:
            if task.data not in plans:
                lengths = [len(row) for row in tokenize(task.longest(tokenize))]
                own = task.batch_size or size
                plans[task.data] = BatchPlan(lengths, own, f"{seed}:{task.data}")
        return plans

    def _services(self, number: int) -> dict[str, Any]:
        heads = dict(self.trained["heads"].named_children())
        return {
            **self.of_base.services,
            "heads": heads.get(str(number)),
            "companions": {name: other.heads for name, other in self.companions.items()},
            "step": self.progress.step,
        }

    def _save(self) -> None:
        self.progress.callbacks = self.events.states()
        if self.processes.main:
            checkpoint.save(self.run.folder, self.progress, self.trained, self.optimizer, self.best)
