"""What the benchmarks on knowledge graphs share: modules, encoders, and results kept by step."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from bench import MINILM

import xadapt
from xadapt.data.graphs.graph import PARTS, KnowledgeGraph
from xadapt.data.graphs.links import Links
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.tasks.kg.name_vectors import EntityNames

BASES = {"mini": "mini", "MiniLM": MINILM}
BASE, EP, TP = "frozen base", "EP", "TP"
MIXED, FUSED, SUMMED = "EP and TP mixed", "EP and TP fused", "EP and TP summed"
SHUFFLED = "EP, shuffled links"
RECIPES = {EP: "mlkg_ep", TP: "mlkg_tp"}


class Kept:
    """Numbers by step in one JSON file, written after each step, so that a cut run goes on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: dict[str, Any] = {}
        if path.is_file():
            self.found = json.loads(path.read_text(encoding="utf-8"))

    def get(self, key: str, compute: Callable[[], Any]) -> Any:
        """The numbers of a step, computed unless they are there."""
        if key not in self.found:
            began = time.monotonic()
            self.found[key] = compute()
            self.found[f"{key}: seconds"] = round(time.monotonic() - began, 1)
            self.path.write_text(json.dumps(self.found, ensure_ascii=False), encoding="utf-8")
            print(key, self.found[f"{key}: seconds"], "s", flush=True)
        return self.found[key]


class Remembering(AdaptedEncoder):
    """An encoder that encodes a text once; the choices differ in nothing else."""

    def __init__(self, plain: AdaptedEncoder) -> None:
        self.plain, self.known = plain, {}
        self.encoder = plain.encoder

    def encode(self, texts: Any, languages: Any = None, **options: Any) -> Any:
        """The vectors ``(n, dim)``."""
        every = list(zip(texts, languages or [None] * len(texts), strict=True))
        new = [row for row in dict.fromkeys(every) if row not in self.known]
        if new:
            own, langs = zip(*new, strict=True)
            if languages:
                options["languages"] = list(langs)
            self.known.update(zip(new, self.plain.encode(list(own), **options), strict=True))
        return np.stack([self.known[row] for row in every])


def train(
    kind: str,
    base: str,
    graph: str,
    links: str,
    langs: Sequence[str],
    out: Path,
    seed: int,
    *settings: str,
    train_links: str | None = None,
) -> Path:
    """Train EP or TP on a graph without the entities of dev and test links, or find it trained.

    Other training links may be given in the place of the graph's own.
    """
    option = "data.train.options"
    xadapt.train(
        RECIPES[kind], base=base, data=graph, lang=list(langs), out=out, resume=True, joint=True,
        loaders="none", show=False,
        settings=(
            f"seed={seed}", "data.train.dev=0", f"{option}.pair_with=[{','.join(langs)}]",
            f"{option}.links={train_links or links}", f"{option}.exclude_links={links}", *settings,
        ),
    )  # fmt: skip
    return out


def shuffle_links(links: Links, path: Path, seed: int) -> Path:
    """Write links whose training entities have changed places with others of their language.

    The language stands before the id, as in ``ja:5``; without one, each column changes apart. Which
    entities are linked, and in which parts, stays as it was.
    """
    kept = links.parts == 0
    train = [pair for pair, own in zip(links.pairs, kept.tolist(), strict=True) if own]

    def side(entity: str, column: int) -> str:
        return entity.partition(":")[0] if ":" in entity else str(column)

    sides: dict[str, set[str]] = {}
    for pair in train:
        for column, entity in enumerate(pair):
            sides.setdefault(side(entity, column), set()).add(entity)
    drawn = np.random.default_rng(seed)
    other = {}
    for own in map(sorted, sides.values()):
        order = drawn.permutation(len(own))
        moved = np.roll(order, 1)  # no entity stays where it was
        other |= {own[a]: own[b] for a, b in zip(order.tolist(), moved.tolist(), strict=True)}
    fixed = sorted(sides)[0]  # if all changed places alike, the links would be right again
    lines = []
    for (a, b), part in zip(links.pairs, links.parts.tolist(), strict=True):
        if part == 0:
            a, b = (e if side(e, c) == fixed else other[e] for c, e in enumerate((a, b)))
        lines.append(f"{a}\t{b}\t{PARTS[part]}\n")
    path.write_text("".join(lines), encoding="utf-8")
    return path


def fuse(
    base: str,
    graph: str,
    links: str,
    langs: Sequence[str],
    places: dict[str, Path],
    out: Path,
    seed: int,
) -> Path:
    """Train the fusion of EP and TP on a part of their data, or find it trained."""
    options = {
        f"data.{name}.options.{key}": value
        for name in ("names", "facts")
        for key, value in (("pair_with", f"[{','.join(langs)}]"), ("links", links),
                           ("exclude_links", links))
    }  # fmt: skip
    xadapt.train(
        "mlkg_fused", base=base, data={"names": graph, "facts": graph}, lang=list(langs), out=out,
        resume=True, joint=True, loaders="none", show=False,
        compose=f"fuse(self; {places['ep']}, {places['tp']})",
        settings=(f"seed={seed}", *(f"{key}={value}" for key, value in options.items())),
    )  # fmt: skip
    return out


def encoder(base: str, modules: dict[str, Path], compose: str | None = None) -> AdaptedEncoder:
    """The base, or the base with modules on every text."""
    if not modules:
        return AdaptedEncoder.open(base, None, {})
    places = {name: str(path) for name, path in modules.items()}
    plain = AdaptedEncoder.open(base, next(iter(places)), places)
    return plain if compose is None else plain.with_(compose)


def vectors(model: AdaptedEncoder, names: Sequence[str]) -> np.ndarray:
    """Vectors of names; zero for an empty one."""
    own = [i for i, name in enumerate(names) if name]
    made = model.encode([names[i] for i in own], show_progress_bar=False)
    found = np.zeros((len(names), made.shape[1]), np.float32)
    found[own] = made
    return found


def names_of(graph: KnowledgeGraph) -> list[str]:
    """The usual name of each entity."""
    return list(EntityNames(graph))
