"""What it saves that rows share lines: padding, and the time of a training step.

    python examples/benchmarks/lines.py --data DATA

LoRA in all layers of MiniLM; forward and back through German sentences, beside the same step with
a line for each row. "of alike lengths" are batches as training makes them, 16 rows of nearly one
length; "with held rows" has four English translations beside them, as the recipe for translation
ranking; "as they fall" takes rows in no order. Both ways take turns, batch by batch, in one
process; the ratio is the median over batches.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import islice

from bench import MINILM, parser, save, tagged_pairs

from xadapt.backbones.cache.frozen_vectors import FrozenVectors
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.distributed import DistributedContext
from xadapt.data.records import ParallelPair
from xadapt.injection.attachment import model_shape
from xadapt.modules.storage import build
from xadapt.objectives.contract import EncodeView
from xadapt.training.active_module import ActiveModule
from xadapt.training.batches import epoch_batches
from xadapt.training.forward import Forward, Request

OFF, ON = "a line for each row", "shared lines"
BATCH, HELD = 16, 4
Batches = Iterator[list[str]]


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--batches", type=int, default=60)
    args = options.parse_args()
    pairs = [pair for pair, tag in tagged_pairs(args.data, "de") if tag == "stsb-deepl"]
    random.Random(0).shuffle(pairs)
    pairs = pairs[: 4 * BATCH * args.batches]
    encoder = Encoder.from_pretrained(MINILM)
    lengths = [len(ids) for ids in encoder.tokenize([pair.text for pair in pairs])]
    kinds: dict[str, Batches] = {
        "of alike lengths": alike(pairs, lengths, 0),
        "with held rows": alike(pairs, lengths, HELD),
        "as they fall": (
            [p.text for p in pairs[i : i + BATCH]] for i in range(0, len(pairs), BATCH)
        ),
    }
    step = Step(encoder)
    rows = {}
    for name, batches in kinds.items():
        rows[name] = step.compare(list(islice(batches, args.batches)))
        print(name, rows[name], flush=True)
    save("lines", {"batch": BATCH, "batches": args.batches, "rows": rows})


def alike(pairs: list[ParallelPair], lengths: list[int], held: int) -> Batches:
    """Batches of nearly one length, with some translations of their rows."""
    for chosen in epoch_batches(lengths, BATCH, "0"):
        own = [pairs[i] for i in chosen]
        yield [pair.text for pair in own] + [pair.pivot for pair in own[:held]]


class Step:
    """A training step, with and without lines that are shared."""

    def __init__(self, encoder: Encoder) -> None:
        self.module = build("lora", {}, model_shape(encoder))
        acting = ActiveModule(encoder, self.module)
        self.forward = Forward(
            encoder, acting, FrozenVectors(encoder, None), DistributedContext(cpu=True), 4096
        )
        self.ways: dict[str, Callable] = {OFF: lambda rows: None, ON: self.forward._packs}

    def compare(self, batches: list[list[str]]) -> dict:
        """Padding of both ways, and the median ratio of their times."""
        for batch in batches[:3]:
            self.one(batch)
        tokens = {way: [0, 0] for way in self.ways}
        ratios = []
        for number, batch in enumerate(batches):
            took = {}
            for way in (OFF, ON) if number % 2 else (ON, OFF):
                self.forward._packs = self.ways[way]  # type: ignore[method-assign]
                self.forward.tokens = self.forward.padded = 0
                took[way] = self.one(batch)
                tokens[way][0] += self.forward.tokens
                tokens[way][1] += self.forward.padded
            ratios.append(took[ON] / took[OFF])
        padding = {way: 1 - real / padded for way, (real, padded) in tokens.items()}
        return {"padding": padding, "ratio": statistics.median(ratios)}

    def one(self, batch: list[str]) -> float:
        """Seconds of a forward and the way back."""
        began = time.perf_counter()
        [vectors] = self.forward([Request(EncodeView(batch), True)])
        vectors.sum().backward()  # type: ignore[union-attr]
        self.module.zero_grad()
        return time.perf_counter() - began


if __name__ == "__main__":
    main()
