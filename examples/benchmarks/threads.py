"""Threads that share a base: 1,000 requests of 8 languages by 32 threads, and by one.

    python examples/benchmarks/threads.py [--base mini] [--requests 1000] [--threads 32]

Eight modules with random values on one base, for a language each: LoRAs, bottlenecks, a mixture and
a stack. A request is one to eight short texts of one language. torch computes each forward in one
thread of its own: with more, 32 requests at once would have 32 times as many threads as cores. The
threads and the one thread take turns over the same requests; a ratio is the median over turns of
the threads' time to the one thread's in the same turn, below 1 where threads are quicker. The
difference is the largest of any vector to the one thread's.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from bench import save
from torch import nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.composition.text import parse
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.injection.attachment import model_shape
from xadapt.modules.storage import build

KINDS = {
    "de": ("lora", {"rank": 8}),
    "nl": ("lora", {"rank": 8}),
    "sw": ("lora", {"rank": 4}),
    "fr": ("bottleneck", {"width": 16}),
    "ru": ("bottleneck", {"width": 16, "invertible": "nice"}),
    "es": ("mixture_of_loras", {"experts": 2, "rank": 4}),
}
COMPOSED = "by_language(de=de, nl=nl, sw=sw, fr=fr, ru=ru, es=es, pt=mix(de: .5, fr: .5), it=de+fr)"
LANGUAGES = ("de", "nl", "sw", "fr", "ru", "es", "pt", "it")
WORDS = (
    "Haus", "See", "Morgen", "dunia", "habari", "casa", "gato", "perro", "huis", "water", "mir",
    "dom", "bonjour", "monde", "acqua",
)  # fmt: skip
Request = tuple[list[str], list[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="mini")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    encoder = Encoder.from_pretrained(given.base, dtype="float32", device="cpu")
    modules = {name: module(encoder, *own, seed) for seed, (name, own) in enumerate(KINDS.items())}
    adapted = AdaptedEncoder(encoder, modules, parse(COMPOSED))
    asked = requests(given.requests)

    def one(asked: list[Request] = asked) -> list[np.ndarray]:
        return [adapted.encode(*request) for request in asked]

    def several(asked: list[Request] = asked) -> list[np.ndarray]:
        with ThreadPoolExecutor(
            given.threads, initializer=torch.set_num_threads, initargs=(1,)
        ) as p:
            return list(p.map(lambda request: adapted.encode(*request), asked))

    for way in (one, several):
        way(asked[:32])  # warms up
    vectors, seconds = timed({"one": one, "several": several}, given.repeats)
    pairs = zip(vectors["one"], vectors["several"], strict=True)
    gap = max(float(np.abs(a - b).max()) for a, b in pairs)
    apart = min(
        float(np.abs(adapted.encode(WORDS[:1], [tag]) - adapted.encode(WORDS[:1], [None])).max())
        for tag in LANGUAGES
    )
    ratios = [b / a for a, b in zip(seconds["one"], seconds["several"], strict=True)]
    result = {
        "base": given.base,
        "requests": given.requests,
        "threads": given.threads,
        "languages": len(LANGUAGES),
        "repeats": given.repeats,
        "seconds": {name: round(statistics.median(own), 3) for name, own in seconds.items()},
        "ratio": round(statistics.median(ratios), 3),
        "ratio of the least": round(min(seconds["several"]) / min(seconds["one"]), 3),
        "difference": gap,
        "a module to the base": apart,
    }
    print(result)
    save("threads", result)


def module(encoder: Encoder, kind: str, options: dict, seed: int) -> nn.Module:
    """A module with an effect."""
    made = build(kind, options, model_shape(encoder), seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(0.05 * torch.randn(parameter.shape, generator=generator))
    return made


def requests(count: int) -> list[Request]:
    """Texts with their languages."""
    rng = random.Random(0)
    made = []
    for number in range(count):
        texts = [
            " ".join(rng.choices(WORDS, k=rng.randint(2, 12))) for _ in range(rng.randint(1, 8))
        ]
        made.append((texts, [LANGUAGES[number % len(LANGUAGES)]] * len(texts)))
    return made


def timed(
    ways: dict[str, Callable[[], list[np.ndarray]]], repeats: int
) -> tuple[dict[str, list[np.ndarray]], dict[str, list[float]]]:
    """Each way's vectors, and its seconds in each turn; who begins changes from turn to turn."""
    vectors: dict[str, list[np.ndarray]] = {}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats):
        for name in sorted(ways, reverse=bool(turn % 2)):
            began = time.perf_counter()
            vectors[name] = ways[name]()
            seconds[name].append(time.perf_counter() - began)
    return vectors, seconds


if __name__ == "__main__":
    main()
