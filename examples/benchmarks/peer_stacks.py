"""Three stacks that train the same LoRA on the same pairs, under a clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from bench import MINILM
from torch import nn

from xadapt.backbones.encoder.encode import encode
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.config.recipe import TrainSpec
from xadapt.data.records import ParallelPair
from xadapt.functional.losses import info_nce
from xadapt.injection.attachment import model_shape
from xadapt.modules.storage import build
from xadapt.objectives.translation_ranking import Part as TranslationRanking
from xadapt.training.batches import epoch_batches
from xadapt.training.loop import Trainer
from xadapt.training.settings import Run
from xadapt.training.tasks import Task

POINTS = 20
Pairs = Sequence[ParallelPair]


class Clock:
    """A training clock that stands still while accuracy is taken."""

    def __init__(self, judge: Callable) -> None:
        self.judge, self.curve, self.spent = judge, [], 0.0
        self.began = time.monotonic()

    def mark(self, vectors: Callable) -> None:
        """Judge now."""
        pause = time.monotonic()
        self.curve.append((pause - self.began - self.spent, self.judge(vectors)))
        self.spent += time.monotonic() - pause


def lora():
    """The peft configuration: attention's output linear is left out, as in our recipe."""
    from peft import LoraConfig

    sites = r".*\.(query|key|value|intermediate\.dense)|.*layer\.\d+\.output\.dense"
    return LoraConfig(r=16, lora_alpha=32, target_modules=sites, lora_dropout=0.0)


def ours(train: Pairs, clock_of: Callable, batch: int, work: Path) -> Clock:
    """xadapt, its bank computed first (the clock runs)."""
    encoder = Encoder.from_pretrained(MINILM)
    module = build("lora", {}, model_shape(encoder))
    work.mkdir(parents=True, exist_ok=True)
    clock = clock_of()
    spec = TrainSpec(batch_size=batch, evaluations=POINTS, checkpoint_seconds=1e9)
    task = Task("translation_ranking", TranslationRanking(), train)
    trainer = Trainer(encoder, module, [task], Run(spec, work))

    def score() -> dict[str, float]:
        acts = trainer.active_module.activation()
        clock.mark(lambda texts: encode(encoder, list(texts), rows=acts).numpy())
        return {"score": clock.curve[-1][1]}

    trainer.run.score = score
    trainer.train()
    return clock


def sentence_transformers(
    train: Pairs, clock_of: Callable, loss: str, batch: int, points: int = POINTS
) -> Clock:
    """sentence-transformers' own trainer on peft's LoRA in bf16, both sides trained.

    Args:
        train: Pairs.
        clock_of: Makes the clock.
        loss: A class of ``sentence_transformers.losses``.
        batch: Pairs a step, which are each other's negatives.
        points: How often accuracy is taken.
    """
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, losses
    from sentence_transformers import SentenceTransformerTrainingArguments as Arguments
    from transformers import TrainerCallback

    model = SentenceTransformer(Encoder.from_pretrained(MINILM).source.location, device="cpu")
    model.add_adapter(lora())
    rows = Dataset.from_dict({"de": [p.text for p in train], "en": [p.pivot for p in train]})
    clock = clock_of()

    class Judge(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            if state.global_step % max(1, state.max_steps // points) == 0:
                with torch.autocast("cpu", torch.bfloat16):
                    clock.mark(lambda t: model.encode(t, show_progress_bar=False))

    arguments = Arguments(
        output_dir="runs/peer_st", num_train_epochs=1, per_device_train_batch_size=batch,
        learning_rate=2e-3, warmup_ratio=0.1, lr_scheduler_type="cosine", bf16=True, use_cpu=True,
        report_to=[], save_strategy="no", logging_steps=10_000, dataloader_num_workers=0,
        disable_tqdm=True,
    )  # fmt: skip
    trainer = SentenceTransformerTrainer(
        model=model, args=arguments, train_dataset=rows,
        loss=getattr(losses, loss)(model, scale=20.0), callbacks=[Judge()],
    )  # fmt: skip
    clock.began = time.monotonic()
    trainer.train()
    return clock


def plain_peft(train: Pairs, clock_of: Callable, batch: int, stock: bool) -> Clock:
    """A loop over peft in bf16 against English vectors computed first (the clock runs).

    Args:
        train: Pairs.
        clock_of: Makes the clock.
        batch: Rows a step.
        stock: Whether model and batches are those of the libraries as they come: AutoModel in
            bf16 with the attention it picks, rows shuffled and padded to the longest; else our
            loading and our batches of alike lengths.
    """
    from peft import get_peft_model
    from transformers import AutoModel

    encoder = Encoder.from_pretrained(MINILM, dtype="bfloat16")
    clock = clock_of()
    pivots = list(dict.fromkeys(pair.pivot for pair in train))
    bank = encode(encoder, pivots)
    row = {pivot: i for i, pivot in enumerate(pivots)}
    inner = encoder.model
    if stock:
        inner = AutoModel.from_pretrained(encoder.source.location, dtype=torch.bfloat16).eval()
    model = get_peft_model(inner, lora())
    ids = encoder.tokenize([pair.text for pair in train])

    def vectors(rows: list) -> torch.Tensor:
        tokens, mask = encoder.batch(rows)
        with torch.autocast("cpu", torch.bfloat16):
            states = model(input_ids=tokens, attention_mask=mask).last_hidden_state
        return encoder.pool(states, mask)

    def judged(texts: Sequence[str]):
        with torch.no_grad():
            rows = encoder.tokenize(list(texts))
            parts = [vectors(rows[i : i + 100]) for i in range(0, len(rows), 100)]
        return torch.cat(parts).numpy()

    lengths = [0 if stock else len(i) for i in ids]
    batches = epoch_batches(lengths, batch, "0")
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=2e-3, weight_decay=0.0)
    rates = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 2e-3, total_steps=len(batches) + 1, pct_start=0.1
    )
    for number, chosen in enumerate(batches, 1):
        target = torch.tensor([row[train[i].pivot] for i in chosen])
        loss = info_nce(vectors([ids[i] for i in chosen]), bank, target, 0.05).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        rates.step()
        if number % max(1, len(batches) // POINTS) == 0:
            clock.mark(judged)
    return clock
