"""Time to equal held-out accuracy: xadapt beside two stacks people glue together.

    python examples/benchmarks/peers.py --data DATA

All train LoRA of rank 16 on q, k, v and both FFN linears of MiniLM on the same German-English
pairs, one pass, and are judged on the same held-out Tatoeba pairs while the clock stands still.

(a) sentence-transformers with peft: both sides through the module, in-batch negatives, its own
    trainer with bf16 autocast.
(b) plain peft in bf16 on the German side alone, against English vectors computed once: the same
    algorithm as ours, so what is left is the engine.
(c) xadapt, the ranking objective alone: the recipe's held pivot rows are not part of this work.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from bench import MINILM, parser, save, split_test, tagged_pairs
from torch import nn

from xadapt.attach import geometry
from xadapt.backbones.encode import encode
from xadapt.backbones.encoder import Encoder
from xadapt.losses import info_nce
from xadapt.matching import nearest
from xadapt.objectives.translation_ranking import Part as TranslationRanking
from xadapt.recipe import TrainSpec
from xadapt.records import ParallelPair
from xadapt.store import build
from xadapt.train.batches import epoch_batches
from xadapt.train.loop import Trainer
from xadapt.train.settings import Run
from xadapt.train.tasks import Task

POINTS = 20


class Clock:
    """A training clock that stands still while accuracy is taken."""

    def __init__(self, judge) -> None:
        self.judge, self.curve, self.spent = judge, [], 0.0
        self.began = time.monotonic()

    def mark(self, vectors) -> None:
        """Judge now."""
        pause = time.monotonic()
        self.curve.append((pause - self.began - self.spent, self.judge(vectors)))
        self.spent += time.monotonic() - pause


def lora():
    """The peft configuration: attention's output linear is left out, as in our recipe."""
    from peft import LoraConfig

    sites = r".*\.(query|key|value|intermediate\.dense)|.*layer\.\d+\.output\.dense"
    return LoraConfig(r=16, lora_alpha=32, target_modules=sites, lora_dropout=0.0)


def sentence_transformers(train, clock_of) -> Clock:
    """Stack (a)."""
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
    from sentence_transformers import SentenceTransformerTrainingArguments as Arguments
    from sentence_transformers.losses import MultipleNegativesRankingLoss
    from transformers import TrainerCallback

    model = SentenceTransformer(Encoder.from_pretrained(MINILM).source.location, device="cpu")
    model.add_adapter(lora())
    rows = Dataset.from_dict({"de": [p.text for p in train], "en": [p.pivot for p in train]})
    clock = clock_of()

    class Judge(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            if state.global_step % max(1, state.max_steps // POINTS) == 0:
                with torch.autocast("cpu", torch.bfloat16):
                    clock.mark(lambda t: model.encode(t, show_progress_bar=False))

    arguments = Arguments(
        output_dir="runs/peer_st", num_train_epochs=1, per_device_train_batch_size=64,
        learning_rate=2e-3, warmup_ratio=0.1, lr_scheduler_type="cosine", bf16=True, use_cpu=True,
        report_to=[], save_strategy="no", logging_steps=10_000, dataloader_num_workers=0,
        disable_tqdm=True,
    )  # fmt: skip
    loss = MultipleNegativesRankingLoss(model, scale=20.0)
    trainer = SentenceTransformerTrainer(
        model=model, args=arguments, train_dataset=rows, loss=loss, callbacks=[Judge()]
    )
    clock.began = time.monotonic()
    trainer.train()
    return clock


def plain_peft(train, clock_of, batch: int) -> Clock:
    """Stack (b): a loop over peft, its English vectors computed first (the clock runs)."""
    from peft import get_peft_model

    encoder = Encoder.from_pretrained(MINILM, dtype="bfloat16")
    clock = clock_of()
    pivots = list(dict.fromkeys(pair.pivot for pair in train))
    bank = encode(encoder, pivots)
    row = {pivot: i for i, pivot in enumerate(pivots)}
    model = get_peft_model(encoder.model, lora())
    ids = encoder.tokenize([pair.text for pair in train])

    def vectors(rows):
        tokens, mask = encoder.batch(rows)
        with torch.autocast("cpu", torch.bfloat16):
            states = model(input_ids=tokens, attention_mask=mask).last_hidden_state
        return encoder.pool(states, mask)

    def judged(texts):
        with torch.no_grad():
            rows = encoder.tokenize(list(texts))
            parts = [vectors(rows[i : i + 100]) for i in range(0, len(rows), 100)]
        return torch.cat(parts).numpy()

    batches = epoch_batches([len(i) for i in ids], batch, "0")
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


def ours(train, clock_of, batch: int, work: Path) -> Clock:
    """xadapt, its bank computed first (the clock runs)."""
    encoder = Encoder.from_pretrained(MINILM)
    module = build("lora", {}, geometry(encoder))
    work.mkdir(parents=True, exist_ok=True)
    clock = clock_of()
    spec = TrainSpec(batch_size=batch, evaluations=POINTS, checkpoint_seconds=1e9)
    trainer = Trainer(
        encoder, module, [Task("translation_ranking", TranslationRanking(), train)], Run(spec, work)
    )

    def score():
        with trainer.acting.on():
            clock.mark(lambda texts: encode(encoder, list(texts)).numpy())
        return {"score": clock.curve[-1][1]}

    trainer.run.score = score
    trainer.train()
    return clock


def judge_of(test: list[ParallelPair]) -> Callable:
    """Accuracy both ways of a way to make vectors of the language side."""
    texts, pivots = [p.text for p in test], [p.pivot for p in test]
    bare = encode(Encoder.from_pretrained(MINILM, dtype="float32"), pivots).numpy()

    def judge(vectors: Callable) -> float:
        own = np.asarray(vectors(texts), dtype=np.float32)
        right = np.arange(len(texts))
        ways = [nearest(own, bare, 1), nearest(bare, own, 1)]
        return float(np.mean([(found.indices[:, 0] == right).mean() for found in ways]))

    return judge


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--batch", type=int, default=16)
    options.add_argument("--rows", type=int, default=None, help="train on this many pairs")
    args = options.parse_args()
    rows = tagged_pairs(args.data, "de")
    _, test = split_test(rows)
    seen = {p.pivot for p in test} | {p.text for p in test}
    train = [p for p, tag in rows if tag == "stsb-deepl" and not {p.pivot, p.text} & seen]
    random.Random(0).shuffle(train)
    train = train[: args.rows]
    judge = judge_of(test)
    stacks = {
        "xadapt": lambda: ours(train, lambda: Clock(judge), args.batch, args.work / "peers"),
        "plain peft, bf16, same algorithm": lambda: plain_peft(
            train, lambda: Clock(judge), args.batch
        ),
        "sentence-transformers + peft, bf16": lambda: sentence_transformers(
            train, lambda: Clock(judge)
        ),
    }
    curves = {name: run().curve for name, run in stacks.items()}
    save("peers", {"rows": len(train), "batch": args.batch, "curves": curves, **summary(curves)})


def summary(curves: dict) -> dict:
    """Accuracy and seconds of each, and the seconds in which ours reaches each one's best."""
    ours_curve = curves["xadapt"]
    table = {}
    for name, curve in curves.items():
        best = max(score for _, score in curve)
        first = next((t for t, score in curve if score >= best - 0.005), curve[-1][0])
        reach = next((t for t, score in ours_curve if score >= best - 0.005), None)
        table[name] = {
            "best": best,
            "pass_seconds": curve[-1][0],
            "seconds_to_best": first,
            "xadapt_seconds_to_that": reach,
            "ratio": first / reach if reach else None,
        }
    return {"table": table}


if __name__ == "__main__":
    main()
