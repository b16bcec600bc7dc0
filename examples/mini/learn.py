"""The network and its training: masked tokens, one pass after another, resumable."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from mini.measure import guessed, held_out, scored
from mini.optimizer import MuonAdamW
from mini.rows import Plan, Rows, masked
from torch import nn
from transformers import PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaForMaskedLM

from xadapt.core.files import append_line
from xadapt.core.progress import meter
from xadapt.training import checkpoint
from xadapt.training.interrupts import interrupts


@dataclass(frozen=True)
class Settings:
    """How the network is built and trained.

    Attributes:
        layers, width, heads, ffn: Its shape.
        longest: Tokens of a row, at most.
        tokens: Real tokens to see in all.
        batch_tokens: Padded tokens a step.
        share: Of a row's tokens that are hidden.
        rate: Peak learning rate; ``warmup`` is the share of steps that rises to it.
        decay: Weight decay.
        dropout: In the network.
        alpha: A language with n rows is drawn as ``n ** alpha``.
        evaluations: How often the held-out text is looked at.
        seed: Of everything.
    """

    layers: int = 6
    width: int = 256
    heads: int = 4
    ffn: int = 1024
    longest: int = 128
    tokens: int = 60_000_000
    batch_tokens: int = 6144
    share: float = 0.2
    rate: float = 3e-3
    warmup: float = 0.06
    decay: float = 0.05
    dropout: float = 0.0
    alpha: float = 0.6
    evaluations: int = 12
    seed: int = 0


def network(settings: Settings, tokenizer: PreTrainedTokenizerFast) -> XLMRobertaForMaskedLM:
    """An XLM-R of the given shape with fresh weights."""
    torch.manual_seed(settings.seed)
    config = XLMRobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=settings.width,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        intermediate_size=settings.ffn,
        # Positions are counted from one past the padding id.
        max_position_embeddings=settings.longest + tokenizer.pad_token_id + 1,
        hidden_dropout_prob=settings.dropout,
        attention_probs_dropout_prob=settings.dropout,
        type_vocab_size=1,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    # The fused attention's backward is several times slower in bf16 on a CPU.
    return XLMRobertaForMaskedLM._from_config(config, attn_implementation="eager")


class Learner:
    """One pretraining run.

    Args:
        model: The network.
        tokenizer: Its tokenizer.
        train: Rows to learn from, by language.
        dev: Held-out rows, by language.
        settings: How.
        folder: Where checkpoint and log go.
        identity: What a resumed run must have been started with.
    """

    def __init__(
        self,
        model: XLMRobertaForMaskedLM,
        tokenizer: PreTrainedTokenizerFast,
        train: Rows,
        dev: Rows,
        settings: Settings,
        folder: Path,
        identity: dict[str, Any],
    ) -> None:
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model, self.tokenizer, self.train_rows = model.to(self.device), tokenizer, train
        self.settings, self.folder = settings, folder
        self.dev = {lang: held_out(rows, tokenizer, most=256) for lang, rows in dev.items()}
        self.plan = Plan(train, settings.batch_tokens, settings.alpha)
        self.identity = {**identity, "settings": asdict(settings)}
        self.optimizer = MuonAdamW(model, settings.rate, settings.decay)
        self.progress = checkpoint.Progress(identity=self.identity)
        self.epoch, self.start, self.batches = 0, 0, self.plan.epoch(0)
        real = sum(len(train[lang][i]) for batch in self.batches for lang, i in batch)
        self.real = real / len(self.batches)  # real tokens a step, on average
        self.steps = max(1, round(settings.tokens / self.real))

    def learn(self, resume: bool) -> checkpoint.Progress:
        """Run to the end, or go on where a checkpoint stands.

        Raises:
            UserError: There is no checkpoint to resume, or it is of another run.
            KeyboardInterrupt: After Ctrl-C, with a checkpoint written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if resume:
            self.progress, _ = checkpoint.load(
                self.folder, self.model, self.optimizer, self.identity
            )
        if not self.progress.finished:
            self._sit()
        return self.progress

    def _sit(self) -> None:
        progress, began, saved = self.progress, time.monotonic(), time.monotonic()
        before, done = progress.seconds, progress.step
        marks = {
            round(self.steps * (i + 1) / self.settings.evaluations)
            for i in range(self.settings.evaluations)
        }
        self.model.train()
        with interrupts() as stop, meter("pretraining", self.steps) as bar:
            bar.skip(done)
            while progress.step < self.steps:
                loss = self._step()
                progress.seconds = before + time.monotonic() - began
                rate = (progress.step - done) * self.real / (time.monotonic() - began)
                bar.advance(note=f"loss {loss:.3f}, {rate:,.0f} tokens/s")
                if progress.step in marks:
                    self._look(loss, rate)
                if stop or progress.step in marks or time.monotonic() - saved > 120:
                    checkpoint.save(self.folder, progress, self.model, self.optimizer, {})
                    saved = time.monotonic()
                if stop:
                    raise KeyboardInterrupt
        progress.finished = True
        checkpoint.save(self.folder, progress, self.model, self.optimizer, {})

    def _batch(self, step: int) -> list[tuple[str, int]]:
        while step >= self.start + len(self.batches):
            self.start, self.epoch = self.start + len(self.batches), self.epoch + 1
            self.batches = self.plan.epoch(self.epoch)
        return self.batches[step - self.start]

    def _step(self) -> float:
        settings, step = self.settings, self.progress.step
        rows = [self.train_rows[lang][i] for lang, i in self._batch(step)]
        batch = masked(rows, self.tokenizer, settings.share, settings.seed * 10**9 + step)
        torch.manual_seed(settings.seed * 10**9 + step)
        for group in self.optimizer.param_groups:
            group["lr"] = settings.rate * schedule(step + 1, self.steps, settings.warmup)
        with torch.autocast(self.device, torch.bfloat16):
            scores = scored(self.model, batch, self.device)
        loss = nn.functional.cross_entropy(scores.float(), batch.answers.to(self.device))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.progress.step += 1
        return float(loss.detach())

    def _look(self, loss: float, rate: float) -> None:
        found = {lang: guessed(self.model, some, self.device) for lang, some in self.dev.items()}
        row = {
            "step": self.progress.step,
            "seconds": round(self.progress.seconds),
            "tokens": round(self.progress.step * self.real),
            "tokens_a_second": round(rate),
            "loss": loss,
            "dev_loss": {lang: round(loss, 4) for lang, (loss, _) in found.items()},
            "dev_accuracy": {lang: round(right, 4) for lang, (_, right) in found.items()},
        }
        append_line(self.folder / "log.jsonl", json.dumps(row))
        mean = sum(loss for loss, _ in found.values()) / len(found)
        each = "  ".join(f"{lang} {loss:.2f}/{right:.0%}" for lang, (loss, right) in found.items())
        print(
            f"\nstep {row['step']:,}, {row['tokens'] / 1e6:.1f}M tokens: held-out loss {mean:.3f}"
        )
        print(f"  loss/accuracy  {each}", flush=True)


def schedule(step: int, steps: int, warmup: float) -> float:
    """Share of the peak rate: a straight rise, then a cosine to a hundredth."""
    rise = max(1.0, warmup * steps)
    if step <= rise:
        return step / rise
    done = (step - rise) / max(1.0, steps - rise)
    return 0.01 + 0.99 * (1 + math.cos(math.pi * min(1.0, done))) / 2
