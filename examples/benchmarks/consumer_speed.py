"""Speed of candidates for names and of random walks, as ratios to faiss and gensim alone.

    python examples/benchmarks/consumer_speed.py --data DATA

Names are those of the Human Phenotype Ontology in all its languages, and as many of them again with
a number as make 100,000. Their vectors are random, because an exact search takes the same time for
any vectors. Times are the least of several runs in one process and one thread; memory is what the
process takes beyond what it had before, at its highest. Needs `pip install faiss-cpu gensim`.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from bench import parser, save
from kg_runs import Kept
from match_claims import claims

from xadapt.data.readers.concept_names import ConceptNames
from xadapt.data.readers.lines import read_lines
from xadapt.data.readers.mentions import Mention
from xadapt.functional.random_walks import random_walks
from xadapt.integrations.word2vec import node_vectors
from xadapt.pipelines.kg_link import Linking, _Maker
from xadapt.tasks.kg.concept_index import ConceptIndex
from xadapt.tasks.kg.text_graph import build_graph, pruned
from xadapt.vectors.matching import nearest

NAMES, DIM, TOP = 100_000, 256, 10
ASKED = (500, 1000)
"""Numbers of mentions: memory must not grow with them."""
SEARCHED = 5000
WALKS, LENGTH, EPOCHS = 10, 20, 1


def main() -> None:
    args = parser(__doc__).parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    kept = Kept(args.work / "consumer_speed.json")
    found = {
        "candidates": kept.get("candidates", lambda: candidates(args.data / "hpo")),
        "search": kept.get("search", search),
        "walks": kept.get("walks", lambda: walks(args.data / "claims/research/checkthat2020")),
    }
    save("consumer_speed", {"names": NAMES, "dim": DIM, "top": TOP, **found})


def least(run: Callable[[], Any], times: int = 3) -> float:
    """The least of several times, in seconds."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began)
    return min(taken)


class Highest:
    """The highest memory of the process inside the block, beyond what it had before, in MiB."""

    def __enter__(self) -> Highest:
        ctypes.CDLL(None).malloc_trim(0)
        self.before = self.high = resident()
        self.stop = threading.Event()
        self.watch = threading.Thread(target=self._look)
        self.watch.start()
        return self

    def _look(self) -> None:
        while not self.stop.wait(0.005):
            self.high = max(self.high, resident())

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.watch.join()
        self.mib = round(self.high - self.before)


def resident() -> float:
    """The resident memory of the process in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def unit_rows(count: int, seed: int) -> np.ndarray:
    """Random unit vectors."""
    made = np.random.default_rng(seed).normal(size=(count, DIM)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def names_of(data: Path) -> list[str]:
    """The names of all languages, each once, and numbered ones up to 100,000."""
    found: dict[str, None] = {}
    for path in sorted(data.glob("*.tsv.gz")):
        for _, line in read_lines(str(path)):
            found.setdefault(line.split("\t")[1])
            if len(found) == NAMES:
                return list(found)
    return [*found, *(f"{name} {i}" for i, name in enumerate(list(found)[: NAMES - len(found)]))]


def candidates(data: Path) -> dict[str, Any]:
    """Candidates of mentions by spelling, by vectors and by both, against a flat index of faiss."""
    import faiss

    faiss.omp_set_num_threads(1)
    texts = names_of(data)
    names = ConceptNames.of((f"C{i}", "en", text) for i, text in enumerate(texts))
    vectors, asked = unit_rows(NAMES, 0), unit_rows(max(ASKED), 1)
    place = {text: i for i, text in enumerate(texts)}
    mentions = [Mention(str(i), texts[i * 50]) for i in range(max(ASKED))]

    def encode(own: list[str], _: Any) -> np.ndarray:
        return asked[[place[text] // 50 for text in own]]

    flat = faiss.IndexFlatIP(DIM)
    flat.add(vectors)
    found: dict[str, Any] = {"distinct": len(set(texts)), "mentions": list(ASKED)}
    for name, options in (
        ("spelling", {}),
        ("vectors", {"vectors": vectors, "encode": encode, "spelling": False}),
        ("both", {"vectors": vectors, "encode": encode}),
    ):
        index = ConceptIndex.of(names, **options)
        maker = _Maker(index, Linking(top=TOP), None)

        def run(count: int, maker: _Maker = maker) -> None:
            for start in range(0, count, maker.block):
                maker.rows(mentions[start : min(count, start + maker.block)])

        memory = []
        for count in ASKED:
            with Highest() as highest:
                run(count)
            memory.append(highest.mib)
        found[name] = {"seconds": least(lambda run=run: run(ASKED[-1])), "mib": memory}
    found["faiss"] = {"seconds": least(lambda: flat.search(asked, TOP))}
    return found


def search() -> dict[str, Any]:
    """The exact search that alignments use, against faiss."""
    import faiss

    faiss.omp_set_num_threads(1)
    pool, asked = unit_rows(NAMES, 0), unit_rows(SEARCHED, 1)
    flat = faiss.IndexFlatIP(DIM)
    flat.add(pool)
    found: dict[str, Any] = {"asked": SEARCHED}
    with Highest() as highest:
        ours = nearest(asked, pool, TOP)
    found["mib"] = highest.mib
    theirs = flat.search(asked, TOP)[1]
    found["equal"] = float((np.sort(ours.indices, 1) == np.sort(theirs, 1)).mean())
    found["seconds"] = least(lambda: nearest(asked, pool, TOP))
    found["faiss"] = least(lambda: flat.search(asked, TOP))
    return found


def walks(folder: Path) -> dict[str, Any]:
    """Walks with one and two threads, and skip-gram on them, against gensim on a list of walks."""
    from gensim.models import Word2Vec

    rows, texts, _ = claims(folder)
    graph = pruned(build_graph(rows, texts))
    starts = np.repeat(np.arange(graph.items), WALKS)

    def walk(workers: int = 1) -> Any:
        return random_walks(graph.edges, starts, LENGTH, 0, workers=workers)

    found: dict[str, Any] = {"nodes": graph.nodes, "edges": int(graph.edges.nnz) // 2,
                             "walks": len(starts), "length": LENGTH}  # fmt: skip
    found["seconds"] = {str(n): least(lambda n=n: list(walk(n)), 5) for n in (1, 2)}
    one, two = (np.concatenate(list(walk(n))) for n in (1, 2))
    found["equal"] = bool((one == two).all())
    lists = [[str(node) for node in row if node >= 0] for row in one.tolist()]
    given = {"window": 5, "epochs": EPOCHS}
    found["gensim"] = least(
        lambda: Word2Vec(lists, vector_size=100, sg=1, min_count=1, workers=1, alpha=0.05, **given),
        1,
    )
    found["ours"] = least(lambda: node_vectors(walk, graph.nodes, **given), 1)
    return found


if __name__ == "__main__":
    main()
