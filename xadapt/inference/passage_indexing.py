"""Make an index of passages: encode them, fuse their queries, write the folder when it is whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xadapt.backbones.encoder.encode import dimension
from xadapt.core.errors import UserError
from xadapt.core.files import atomic_folder, require_empty, sha256_file, write_json
from xadapt.data.readers.passages import Passage, read_by_id, read_passages
from xadapt.data.readers.text_stream import Digest, Survey, TextSource
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.bulk.folder import ShardFolder
from xadapt.inference.bulk.plan import SHARD_ROWS, Layout, describe
from xadapt.inference.passage_index import (
    FILE,
    PASSAGES,
    QUERIES,
    Fusion,
    IndexManifest,
    PassageIndex,
    Similarity,
    as_vectors,
    identity,
    open_index,
    opened,
    unit_vectors,
)
from xadapt.vectors.query_fusion import fuse, require_weight

Generator = Callable[[Sequence[Passage]], Sequence[Sequence[str]]]
"""Makes queries of passages: a list of texts for each passage."""


def index_passages(
    passages: str | Path,
    out: str | Path,
    *,
    base: str | AdaptedEncoder,
    modules: str | Path | Sequence[str | Path] = (),
    compose: str | None = None,
    lang: str | None = None,
    queries: str | Path | Generator | None = None,
    query_weight: float = 0.01,
    query_lang: str | None = None,
    similarity: Similarity | None = None,
    shard_rows: int = SHARD_ROWS,
    dtype: str = "auto",
) -> PassageIndex:
    """Encode passages into an index on disk.

    Args:
        passages: File of passages; see `xadapt.data.readers.passages`.
        out: Folder to make. It appears only when it is whole.
        base: Hub id, folder, ``package:NAME/SUBDIR``, ``mini``, or an encoder that is loaded.
        modules: Folders of modules. One module acts on passages and queries of every language.
        compose: The composition that acts on passages and queries.
        lang: Language of the passages, where several modules act by language.
        queries: Queries of the passages that are fused with them: a file with lines of passage
            id, tab, query, or a function from passages to a list of queries for each. See
            `xadapt.vectors.query_fusion`.
        query_weight: The weight a of the sum of a passage's queries.
        query_lang: Language of the queries, by default ``lang``.
        similarity: ``cosine`` or ``dot``; by default that of the base. With ``cosine``, vectors get
            length 1 before they are fused, and the fused ones again.
        shard_rows: Rows of a shard, which is also the number of passages in memory.
        dtype: Type of the base's weights.

    Raises:
        UserError: If a row is faulty, a query is of no passage, an argument is wrong, or the folder
            is not empty. No files are left behind.
    """
    require_weight(query_weight)
    require_empty(out)
    grouped = None if queries is None or callable(queries) else _grouped(str(queries))
    generate = queries if callable(queries) else None
    named = "a function" if generate else Path(str(queries)).name
    adapted = opened(base, modules, compose, lang, dtype)
    job = _Build(adapted, _similarity(adapted, similarity), lang, query_lang or lang, query_weight)
    with atomic_folder(out) as folder:
        job.write(folder, str(passages), grouped, generate, named, shard_rows)
    return open_index(out)


@dataclass(frozen=True)
class _Build:
    """The encoder, and what is done with its vectors."""

    adapted: AdaptedEncoder
    similarity: Similarity
    lang: str | None
    query_lang: str | None
    weight: float

    def write(
        self,
        folder: Path,
        source: str,
        grouped: dict[str, list[tuple[str, str]]] | None,
        generate: Generator | None,
        named: str,
        shard_rows: int,
    ) -> None:
        """Write every file of the index, its manifest last."""
        layout = Layout(shard_rows, normalize=self.similarity == "cosine")
        made = describe(self.adapted, TextSource(source), Survey(hash=sha256_file(source)), layout)
        shards = ShardFolder(folder, made, resume=False)
        number, rows, digest, count = -1, 0, hashlib.sha256(), 0
        with ExitStack() as stack:
            listed = stack.enter_context((folder / PASSAGES).open("w", encoding="utf-8"))
            fused = grouped is not None or generate is not None
            asked = (folder / QUERIES).open("w", encoding="utf-8") if fused else None
            if asked is not None:
                stack.enter_context(asked)
            for number, block in enumerate(_blocks(read_passages(source), shard_rows)):
                texts = [passage.whole for passage in block]
                vectors = self._encoded(texts, document=True)
                if asked is not None:
                    queries, owners = _of_block(block, grouped, generate)
                    for text, owner in zip(queries, owners, strict=True):
                        line = json.dumps([block[owner].id, text], ensure_ascii=False) + "\n"
                        asked.write(line)
                        digest.update(line.encode())
                    count += len(queries)
                    vectors = self._fused(vectors, queries, owners)
                shards.write(number, vectors, Digest([(text, self.lang) for text in texts]).value)
                for passage in block:
                    listed.write(json.dumps(passage.__dict__, ensure_ascii=False) + "\n")
                rows += len(block)
        _refuse_left(grouped)
        shards.settle(number + 1, rows, dimension(self.adapted.encoder))
        fusion = None
        if fused:
            fusion = Fusion(
                a=float(self.weight),
                queries=named,
                sha256=f"sha256:{digest.hexdigest()}",
                count=count,
            )
        manifest = IndexManifest(
            **identity(self.adapted),
            similarity=self.similarity,
            lang=self.lang,
            passages=sha256_file(folder / PASSAGES),
            fusion=fusion,
            base_mismatch=self.adapted.base_mismatch,
        )
        write_json(folder / FILE, manifest.model_dump(mode="json"))

    def _encoded(self, texts: list[str], document: bool) -> NDArray[np.float32]:
        way = self.adapted.encode_document if document else self.adapted.encode_query
        lang = self.lang if document else self.query_lang
        return as_vectors(way(texts, lang), self.similarity == "cosine")

    def _fused(
        self, vectors: NDArray[np.float32], queries: list[str], owners: list[int]
    ) -> NDArray[np.float32]:
        if self.weight == 0 or not queries:
            asked = np.zeros((0, vectors.shape[1]), np.float32)
            owners = []
        else:
            asked = self._encoded(queries, document=False)
        found = fuse(vectors, asked, np.asarray(owners, np.int64), self.weight)
        if self.weight == 0 or self.similarity == "dot":
            return found
        return unit_vectors(found)


def _similarity(adapted: AdaptedEncoder, given: str | None) -> Similarity:
    name = given or adapted.similarity_fn_name
    if name == "cosine" or name == "dot":
        return name  # type: ignore[return-value]
    raise UserError(
        f"an index has no similarity {name!r}", todo="Use --similarity cosine or --similarity dot"
    )


def _blocks(rows: Iterator[Passage], size: int) -> Iterator[list[Passage]]:
    while block := list(islice(rows, size)):
        yield block


def _grouped(source: str) -> dict[str, list[tuple[str, str]]]:
    """Read queries by passage, each with its place."""
    found: dict[str, list[tuple[str, str]]] = {}
    for where, name, text in read_by_id(source):
        found.setdefault(name, []).append((where, text))
    return found


def _of_block(
    block: Sequence[Passage],
    grouped: dict[str, list[tuple[str, str]]] | None,
    generate: Generator | None,
) -> tuple[list[str], list[int]]:
    """Return the queries of some passages, and for each query the row of its passage."""
    if generate is not None:
        made = [list(texts) for texts in generate(block)]
        if len(made) != len(block):
            raise UserError(
                f"the function made queries for {len(made)} of {len(block)} passages",
                todo="It must return a list of texts for each passage, in order",
            )
    else:
        assert grouped is not None
        made = [[text for _, text in grouped.pop(passage.id, [])] for passage in block]
    owners = [row for row, texts in enumerate(made) for _ in texts]
    return [text for texts in made for text in texts], owners


def _refuse_left(grouped: dict[str, list[tuple[str, str]]] | None) -> None:
    for name, rows in (grouped or {}).items():
        raise UserError(
            f"there is no passage with the id {name[:40]!r}",
            where=rows[0][0],
            todo="Each line is a passage's id, tab, and one query of this passage",
        )
