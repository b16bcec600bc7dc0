"""Train an encoder on packed rows: a warm-up, a plateau, and a decay wherever it is wanted.

    python examples/mini/run.py TEXTS/rows-16000 --out DIR --tokens 300000000
    python examples/mini/run.py TEXTS/rows-16000 --out DIR --resume

DIR/state.pt is written whole or not at all; a run that is cut goes on from it, on a CPU or a GPU.
To end a run early, resume it with `--tokens` a little past what it has seen and `--cooldown` of
that difference: only these and `--lines`, `--share`, `--every`, `--looks` and `--compile` may
differ when a run goes on. The weights to start from are not looked for then.
DIR/log.jsonl has a line a look. Tokens are counted, and seconds of processor time.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from mini.borrow import borrow
from mini.forward import packed_scores
from mini.measure import guessed, held_out
from mini.optimizer import MuonAdamW
from mini.packs import BOS, EOS, Packed, Stream
from mini.store import Flat, read_flat
from torch import nn
from transformers import (
    AutoTokenizer,
    PreTrainedTokenizerBase,
    XLMRobertaConfig,
    XLMRobertaForMaskedLM,
)

LOOKED_AT = 200  # held-out sentences of a language at a look
FREE = {"init", "guide", "tokens", "cooldown", "lines", "share", "every", "compile", "looks"}


@dataclass(frozen=True)
class Settings:
    """How the network is built and trained.

    Attributes:
        layers, width, heads: Its shape; the inner layer is four times as wide.
        lines, line: Lines of a batch and places of a line.
        tokens: To see in all.
        warmup: Tokens while the rate rises.
        cooldown: Tokens, at the end, while it falls to nothing.
        rate, decay: Peak learning rate and weight decay.
        optimizer: ``muon`` (with AdamW for tables and vectors) or ``adamw``.
        share: Of the tokens that are hidden.
        alpha: A language with n tokens is shown as ``n ** alpha``.
        init: Folder of weights to start from (see `mini.borrow`), or nothing.
        guide: Folder of an encoder with the same tokenizer that tells which pieces are alike.
        seed: Of everything.
        every: Seconds of processor time between checkpoints.
        looks: How often the held-out text is looked at.
        compile: Whether the step is compiled: 1 or 0.
    """

    layers: int = 6
    width: int = 256
    heads: int = 4
    lines: int = 64
    line: int = 128
    tokens: int = 300_000_000
    warmup: int = 3_000_000
    cooldown: int = 60_000_000
    rate: float = 3e-3
    decay: float = 0.05
    optimizer: str = "muon"
    share: float = 0.2
    alpha: float = 0.5
    init: str = ""
    guide: str = ""
    seed: int = 0
    every: int = 300
    looks: int = 60
    compile: int = 1


def share_of_rate(tokens: int, settings: Settings) -> float:
    """Share of the peak rate after so many tokens: a rise, a plateau, a straight fall."""
    rise = min(1.0, (tokens + 1) / max(1, settings.warmup))
    fall = min(1.0, (settings.tokens - tokens) / max(1, settings.cooldown))
    return max(0.0, min(rise, fall))


def network(settings: Settings, tokenizer: PreTrainedTokenizerBase) -> XLMRobertaForMaskedLM:
    """An XLM-R of the given shape, with fresh weights or borrowed ones."""
    torch.manual_seed(settings.seed)
    config = XLMRobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=settings.width,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        intermediate_size=4 * settings.width,
        max_position_embeddings=settings.line + tokenizer.pad_token_id + 1,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        type_vocab_size=1,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = XLMRobertaForMaskedLM._from_config(config, attn_implementation="eager")
    if settings.init:
        guide = Path(settings.guide) if settings.guide else None
        borrow(model, tokenizer, Path(settings.init), guide)
    return model


def optimizer_of(model: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """Muon with AdamW, or AdamW alone; vectors have no decay."""
    if settings.optimizer == "muon":
        return MuonAdamW(model, settings.rate, settings.decay)
    tables = [p for p in model.parameters() if p.ndim == 2]
    vectors = [p for p in model.parameters() if p.ndim != 2]
    groups = [
        {"params": tables, "weight_decay": settings.decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.rate, betas=(0.9, 0.98), fused=True)


class Run:
    """One training run.

    Args:
        folder: Of `mini.store`: the tokenizer and the rows.
        out: Where state and log go.
        settings: How.
    """

    def __init__(self, folder: Path, out: Path, settings: Settings) -> None:
        self.settings, self.out = settings, out
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer")
        begun = (out / "state.pt").exists()
        start = replace(settings, init="") if begun else settings
        self.model = network(start, self.tokenizer).to(self.device).train()
        self.optimizer = optimizer_of(self.model, settings)
        self.stream = Stream(
            read_flat(folder / "train"), settings.alpha, settings.lines, settings.line,
            settings.share, len(self.tokenizer), settings.seed,
        )  # fmt: skip
        self.dev = {
            lang: held_out(with_ends(flat), self.tokenizer, most=LOOKED_AT)
            for lang, flat in read_flat(folder / "dev").items()
        }
        self.loss = torch.compile(self._loss, dynamic=False) if settings.compile else self._loss
        self.tokens, self.steps, self.seconds, self.wall = 0, 0, 0.0, 0.0

    def resume(self) -> None:
        """Take up what `save` wrote."""
        state = torch.load(self.out / "state.pt", map_location=self.device, weights_only=True)
        kept, own = json.loads(state["settings"]), asdict(self.settings)
        strange = {key for key in own if key not in FREE and kept[key] != own[key]}
        if strange:
            raise SystemExit(f"{self.out} was started with another {', '.join(sorted(strange))}")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.stream.restore(state["stream"])
        self.tokens, self.steps = state["tokens"], state["steps"]
        self.seconds, self.wall = state["seconds"], state["wall"]

    def save(self, stream: dict[str, Any]) -> None:
        """Write the state, whole or not at all."""
        state = {
            "settings": json.dumps(asdict(self.settings)),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "stream": stream,
            "tokens": self.tokens,
            "steps": self.steps,
            "seconds": self.seconds,
            "wall": self.wall,
        }
        self.out.mkdir(parents=True, exist_ok=True)
        torch.save(state, self.out / "state.new")
        (self.out / "state.new").replace(self.out / "state.pt")

    def learn(self) -> None:
        """Run to the end."""
        looks = np.linspace(0, self.settings.tokens, self.settings.looks + 1)[1:]
        before, wall, saved = self.seconds, self.wall, self.seconds
        cpu, clock = time.process_time(), time.monotonic()
        losses: list[torch.Tensor] = []
        for batch, state in self._batches():
            losses.append(self._step(batch))
            self.seconds = before + time.process_time() - cpu
            self.wall = wall + time.monotonic() - clock
            done = self.tokens >= self.settings.tokens
            if done or looks.searchsorted(self.tokens) > looks.searchsorted(
                self.tokens - batch.tokens
            ):
                self._look(float(torch.stack(losses).mean()))
                losses = []
            if done or self.seconds - saved > self.settings.every:
                self.save(state)
                saved = self.seconds
            if done:
                return

    def _batches(self) -> Iterator[tuple[Packed, dict[str, Any]]]:
        """Batches and the stream's state after each; made ahead where a GPU would wait."""
        if self.device == "cpu":
            while True:
                yield next(self.stream), self.stream.state()
        ahead: Queue[tuple[Packed, dict[str, Any]]] = Queue(16)

        def make() -> None:
            while True:
                ahead.put((next(self.stream), self.stream.state()))

        Thread(target=make, daemon=True).start()
        while True:
            yield ahead.get()

    def _loss(self, ids, segments, positions, places, answers) -> torch.Tensor:
        with torch.autocast(self.device, torch.bfloat16):
            scores = packed_scores(self.model, ids, segments, positions, places)
        return nn.functional.cross_entropy(scores.float(), answers)

    def _step(self, batch: Packed) -> torch.Tensor:
        rate = self.settings.rate * share_of_rate(self.tokens, self.settings)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        given = batch.to(self.device)
        loss = self.loss(given.ids, given.segments, given.positions, given.places, given.answers)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.tokens += batch.tokens
        self.steps += 1
        return loss.detach()

    def _look(self, loss: float) -> None:
        found = {lang: guessed(self.model, some, self.device) for lang, some in self.dev.items()}
        row = {
            "steps": self.steps,
            "tokens": self.tokens,
            "seconds": round(self.seconds, 1),
            "wall": round(self.wall, 1),
            "loss": round(loss, 4),
            "dev_loss": {lang: round(one, 4) for lang, (one, _) in found.items()},
            "dev_accuracy": {lang: round(right, 4) for lang, (_, right) in found.items()},
        }
        self.out.mkdir(parents=True, exist_ok=True)
        with (self.out / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")
        print(
            f"{self.steps:,} steps, {self.tokens / 1e6:.2f}M tokens, {self.seconds:.0f} s: loss "
            f"{loss:.3f}, held out {np.mean(list(row['dev_loss'].values())):.3f} "
            f"{np.mean(list(row['dev_accuracy'].values())):.1%}",
            flush=True,
        )


def with_ends(flat: Flat) -> list[np.ndarray]:
    """Rows between the ends of a sentence."""
    return [np.concatenate([[BOS], flat[i], [EOS]]).astype(np.int32) for i in range(len(flat))]


def options() -> argparse.ArgumentParser:
    """The command line: a flag for each setting."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", type=Path, help="what mini/store.py wrote")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--resume", action="store_true", help="go on if there is a state")
    parser.add_argument("--model", type=Path, help="at the end, write a folder for transformers")
    for field in fields(Settings):
        parser.add_argument(f"--{field.name}", type=type(field.default), default=field.default)
    return parser


def main() -> None:
    args = options().parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    settings = Settings(**{field.name: getattr(args, field.name) for field in fields(Settings)})
    run = Run(args.rows, args.out, settings)
    if (args.out / "state.pt").exists():
        if not args.resume:
            raise SystemExit(f"{args.out} has a state already: use --resume")
        run.resume()
    if run.tokens < settings.tokens:
        run.learn()
    if args.model:
        run.model.to(torch.bfloat16).save_pretrained(args.model)
        run.tokenizer.save_pretrained(args.model)


if __name__ == "__main__":
    main()
