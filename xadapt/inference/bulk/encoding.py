"""``xadapt encode --shards``: encode any number of texts, over processes, resumable.

Texts are read as a stream and encoded a shard at a time; shard i belongs to process i modulo their
number. A shard is computed from its own texts alone. So its bytes do not depend on the process that
computes it, nor on an interruption. The processes synchronise twice: when each has looked at the
folder, and at the end.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from pathlib import Path

import torch
import torch.nn.functional as F

from xadapt.backbones.encoder.encode import dimension
from xadapt.backbones.encoder.long_texts import CutCount, counting_cut
from xadapt.backbones.encoder.windows import FIRST, require_windows
from xadapt.backbones.loading import choose_device
from xadapt.composition.text import show as to_text
from xadapt.composition.values import Composition
from xadapt.core.distributed import DistributedContext
from xadapt.core.errors import UserError
from xadapt.core.folder_lock import is_main, one_writer
from xadapt.core.progress import Meter, meter, waiting
from xadapt.core.registry import unknown
from xadapt.core.sequences import as_paths
from xadapt.data.readers.text_stream import Digest, Row, Survey, TextSource, read_rows, survey
from xadapt.inference import measured_fallback
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.bulk.folder import ShardFolder
from xadapt.inference.bulk.plan import SHARD_ROWS, Layout, describe
from xadapt.inference.bulk.remote import Encoded, Remote
from xadapt.inference.encoder_spec import EncoderSpec
from xadapt.inference.fallback_language import FallbackLanguageWarning
from xadapt.vectors.index import FileFormat
from xadapt.vectors.shards import ShardedVectors, open_vectors

PATIENCE = timedelta(days=30)
PROCESSES, RAY = "processes", "ray"
Reporter = Callable[[str], None]


def encode_shards(
    text: str | Path,
    out: str | Path,
    *,
    base: str,
    modules: str | Path | Sequence[str | Path] = (),
    compose: str | Composition = None,
    column: str | None = None,
    lang: str | None = None,
    languages: str | Path | None = None,
    lang_column: str | None = None,
    select_on: str | Path | None = None,
    pivot: str = "en",
    shard_rows: int = SHARD_ROWS,
    shard_format: FileFormat = "npy",
    half: bool = False,
    normalize: bool = False,
    windows: str = FIRST,
    batch_size: int | None = None,
    resume: bool = False,
    executor: str = PROCESSES,
    workers: int = 2,
    dtype: str = "auto",
    device: str = "auto",
    show: bool = False,
    report: Reporter = lambda _: None,
) -> ShardedVectors:
    """Encode any number of texts and write the vectors as shards; the same under ``torchrun``.

    Args:
        text: File with one text a line, ``.jsonl``, ``.parquet``, ``hf:org/name``, or ``-``.
        out: Folder to make; `open_vectors` opens the folder.
        base: Hub id, folder or ``package:NAME/SUBDIR``.
        modules: Folders of modules trained on this base.
        compose: A composition of the modules, as for `load`.
        column: Column of the texts, ``text`` if not given.
        lang: One language tag for all texts.
        languages: File with one tag a line, for each text.
        lang_column: Column of the tags.
        select_on: Text of ``lang``, which has no module. The best module on this text becomes the
            fallback.
        pivot: Language of the other side, where ``select_on`` is parallel.
        shard_rows: Number of rows of each shard; one shard is held in memory at a time.
        shard_format: ``npy`` or ``parquet``.
        half: Write float16.
        normalize: Divide each vector by its norm.
        windows: What becomes of a text longer than the base reads: ``first``, ``mean`` or ``max``;
            see `AdaptedEncoder.encode`.
        batch_size: Number of texts in one forward. By default, as many as fit in 4096 tokens.
        resume: Continue at the first shard that is missing.
        executor: ``processes``: this process, or all that ``torchrun`` started. ``ray``: actors of
            a running cluster of ray, or of a local one; only this process writes.
        workers: Number of actors of ray.
        dtype: Type of the base's weights: ``auto``, ``float32``, ``bfloat16``, ``int8`` or ``nf4``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        show: Show progress.
        report: Receives a line for each language without a module, and one that counts the texts
            that were cut.

    Raises:
        UserError: If an argument is wrong, the folder holds vectors of other texts or modules,
            another process writes to the folder, or the disk is full. Only complete shards stay.
    """
    tags = None if languages is None else str(languages)
    source = TextSource(str(text), column, lang, tags, lang_column)
    layout = Layout(shard_rows, shard_format, half, normalize, require_windows(windows))
    if select_on is not None and lang is None:
        raise UserError("--select-on needs to know the texts' language", todo="Name it with --lang")
    if executor not in (PROCESSES, RAY):
        raise UserError(unknown("executor", executor, [PROCESSES, RAY]))
    if executor == RAY and select_on is not None:
        raise UserError("--select-on is not for actors of ray", todo="Name the module")
    _processes(choose_device(device).type)  # before the base is loaded: each has its own GPU
    with one_writer(out, main=is_main()):
        shown = show and is_main()
        with waiting(f"counting the texts of {source.name}", shown):
            found = survey(source)
        paths = as_paths(modules)
        with waiting(f"loading {base}", shown):
            adapted = AdaptedEncoder.load(base, *paths, compose=compose, dtype=dtype, device=device)
        if select_on is not None:
            with waiting(f"trying the modules on {select_on}", shown):
                measured_fallback.select_on(adapted, [source.lang], str(select_on), pivot)
        remote = None
        if executor == RAY:
            given = compose if compose is None or isinstance(compose, str) else to_text(compose)
            spec = EncoderSpec(base, tuple(map(str, paths)), given, dtype, device)
            remote = Remote(spec, workers, source.speaks, windows, batch_size, normalize)
        return _write(
            adapted, source, Path(out), layout, found, resume, show, report, batch_size, remote
        )


def encode_into(
    adapted: AdaptedEncoder,
    source: TextSource,
    out: str | Path,
    layout: Layout | None = None,
    *,
    found: Survey | None = None,
    resume: bool = False,
    show: bool = False,
    report: Reporter = lambda _: None,
) -> ShardedVectors:
    """Encode texts into shards, as `encode_shards`, with an encoder that is loaded already.

    Args:
        adapted: Encoder, modules and composition.
        source: The texts.
        out: Folder to make.
        layout: Layout of the vectors.
        found: Result of `survey` for the source, if it was run.
        resume: As for `encode_shards`.
        show: As for `encode_shards`.
        report: As for `encode_shards`.

    Raises:
        UserError: As for `encode_shards`.
    """
    with one_writer(out, main=is_main()):
        found = found or survey(source)
        return _write(adapted, source, Path(out), layout or Layout(), found, resume, show, report)


def _write(
    adapted: AdaptedEncoder,
    source: TextSource,
    out: Path,
    layout: Layout,
    found: Survey,
    resume: bool,
    show: bool,
    report: Reporter,
    batch_size: int | None = None,
    remote: Remote | None = None,
) -> ShardedVectors:
    """Encode into a folder to which only this run writes."""
    processes = _processes(adapted.encoder.device.type)
    if source.path == "-" and processes.world > 1:
        raise UserError("several processes can't share standard input", todo="Name a file")
    adapted.prove()
    made = describe(adapted, source, found, layout)
    folder = ShardFolder(out, made, resume)
    if processes.main:
        folder.tidy()
    processes.wait()  # until each process has looked at the folder
    whose = f", process 1 of {processes.world}" if processes.world > 1 else ""
    own = None if found.rows is None else _own_rows(found.rows, made.shard_rows, processes)
    with meter(f"encoding{whose}", own, show and processes.main) as bar:
        job = _Job(adapted, source, folder, processes, bar, report, batch_size, remote)
        count, rows = job.run()
    if job.cut.cut:
        report(f"{source.name}: {job.cut.line(adapted.max_seq_length)}")
    processes.wait()
    if processes.main:
        folder.settle(count, rows, dimension(adapted.encoder))
    processes.wait()
    return open_vectors(out)


@dataclass
class _Job:
    """The share of one process in the shards."""

    adapted: AdaptedEncoder
    source: TextSource
    folder: ShardFolder
    processes: DistributedContext
    bar: Meter
    report: Reporter
    batch_size: int | None = None
    remote: Remote | None = None
    cut: CutCount = field(default_factory=CutCount)
    count: int = 0
    rows: int = 0

    def run(self) -> tuple[int, int]:
        """Write the shards of this process; return the number of shards and rows of all processes.

        Raises:
            UserError: If there is no text, or the text differs from that of the folder's shards.
        """
        if self.remote is None:
            for number, block in self._missing():
                self._shard(number, block)
        else:
            self.remote.run(self._missing(), self._arrived)
        if not self.rows:
            raise UserError("there is no text", where=self.source.name)
        if self.folder.known() > self.count:
            raise self._other(f"the text ends at row {self.rows}")
        return self.count, self.rows

    def _missing(self) -> Iterator[tuple[int, list[Row]]]:
        """Yield the blocks of this process whose shards are not done."""
        told: set[str | None] = set()
        for number, block in enumerate(
            _blocks(read_rows(self.source), self.folder.made.shard_rows)
        ):
            self.count, self.rows = number + 1, self.rows + len(block)
            if self.processes.main:
                fresh = {tag for _, tag in block} - told
                told |= fresh
                for line in self.adapted.notices(sorted(tag for tag in fresh if tag)):
                    self.report(line)
            if self.processes.owns(number) and not self._done(number, block):
                yield number, block

    def _done(self, number: int, block: list[Row]) -> bool:
        """Whether the shard of a block is complete.

        Raises:
            UserError: If the shard holds vectors of other text.
        """
        done = self.folder.done(number, check=True)
        if done is None:
            return False
        if done.text != Digest(block).value or done.stop - done.start != len(block):
            raise self._other(f"shard {number} (rows {done.start} to {done.stop}) differs")
        self.bar.skip(len(block))
        return True

    def _arrived(self, number: int, block: list[Row], made: Encoded) -> None:
        """Write a shard that an actor computed."""
        self.cut.cut += made.cut
        self.cut.total += len(block)
        self.folder.write(number, made.vectors, Digest(block).value)
        self._advance(len(block))

    def _shard(self, number: int, block: list[Row]) -> None:
        texts, tags = [text for text, _ in block], [tag for _, tag in block]
        with warnings.catch_warnings(), counting_cut(self.cut):
            warnings.simplefilter("ignore", FallbackLanguageWarning)
            vectors = self.adapted.encode(
                texts,
                tags if self.source.speaks else None,
                batch_size=self.batch_size,
                windows=self.folder.made.windows,
                progress=self._advance,
            )
        if self.folder.made.normalize:
            vectors = F.normalize(torch.from_numpy(vectors), dim=1).numpy()
        self.folder.write(number, vectors, Digest(block).value)

    def _advance(self, count: int) -> None:
        self.bar.advance(count, f"{self.bar.rate():.3g} rows/s")

    def _other(self, what: str) -> UserError:
        return UserError(
            f"the folder holds vectors of other text than {self.source.name}: {what}",
            where=str(self.folder.path),
            todo="Name another folder, or give the text it was made of",
        )


def _blocks(rows: Iterator[Row], size: int) -> Iterator[list[Row]]:
    while block := list(islice(rows, size)):
        yield block


def _own_rows(rows: int, size: int, processes: DistributedContext) -> int:
    """Count the rows in the shards of this process."""
    shards = -(-rows // size)
    return sum(min(size, rows - number * size) for number in processes.share(shards))


def _processes(device: str) -> DistributedContext:
    """Return the processes of this run; the remaining work may differ greatly between them."""
    return DistributedContext(cpu=device == "cpu", patience=PATIENCE)
