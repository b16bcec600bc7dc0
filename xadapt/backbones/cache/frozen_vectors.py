"""Frozen vectors: a text without an active module is encoded once, then looked up."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encode import dimension, encode
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.frames import Bare
from xadapt.backbones.shared_forwards import by_first, is_first
from xadapt.core.errors import UserError
from xadapt.core.files import atomic_file, sweep

logger = logging.getLogger(__name__)

PIECE = 4096
LIMIT_BYTES = 4 * 1024**3
DAY = 86_400.0


def cache_folder() -> Path:
    """Where frozen vectors are kept: ``XADAPT_CACHE``, else ``~/.cache/xadapt``."""
    own = os.environ.get("XADAPT_CACHE")
    if own:
        return Path(own).expanduser()
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "xadapt"


class FrozenVectors:
    """Vectors of texts under the bare encoder, kept in memory and by pieces on disk.

    A piece is named by everything its vectors depend on, so a stale one can't be met; an
    interrupted computation goes on at the piece it was in.

    Args:
        encoder: The frozen encoder. While a module is merged into it, new vectors are refused.
        folder: Where pieces lie; ``None`` keeps them in memory alone.
    """

    def __init__(self, encoder: Encoder, folder: Path | None) -> None:
        self.encoder, self.folder = encoder, folder
        self._row: dict[str, int] = {}
        self._vectors = torch.zeros(0, dimension(encoder))
        self._sealed = 0
        self.reused = 0

    def add(
        self,
        texts: Iterable[str],
        progress: Callable[[int], None] | None = None,
        cache: Kept | None = None,
    ) -> None:
        """Make sure the vectors of these texts are there.

        Args:
            texts: Any number of texts.
            progress: Told how many texts are done.
            cache: States that the forwards may begin at, and leave there.

        Raises:
            UserError: If there are new texts while a module is merged into the encoder.
        """
        new = [text for text in dict.fromkeys(texts) if text not in self._row]
        if not new:
            return
        found: list[Tensor] = []
        for start in range(0, len(new), PIECE):
            piece = new[start : start + PIECE]
            found.append(self._piece(piece, progress, cache))
        self._vectors = torch.cat([self._vectors, *found])
        self._row.update({text: len(self._row) + i for i, text in enumerate(new)})

    def missing(self, texts: Iterable[str]) -> int:
        """How many distinct texts have no vector yet."""
        return sum(text not in self._row for text in dict.fromkeys(texts))

    def get(self, texts: Sequence[str], cache: Kept | None = None) -> Tensor:
        """The vectors ``(n, dim)`` of texts, in fp32 on the encoder's device.

        Args:
            texts: Any number of texts.
            cache: As for `add`.
        """
        self.add(texts, cache=cache)
        rows = torch.tensor([self._row[text] for text in texts], dtype=torch.long)
        return self._vectors[rows].to(self.encoder.device)

    def seal(self) -> None:
        """What is here now is all that `fixed` looks up."""
        self._sealed = len(self._row)

    def fixed(self, texts: Sequence[str]) -> Tensor:
        """As `get`, but texts added after `seal` are encoded anew and not kept.

        So a step's vectors depend on the step alone, not on the steps before it: a resumed run
        is bitwise the uninterrupted one.
        """
        distinct = dict.fromkeys(texts)
        new = [text for text in distinct if self._row.get(text, self._sealed) >= self._sealed]
        if not new:
            return self.get(texts)
        own = dict(zip(new, encode(self.encoder, new), strict=True))
        rows = [own[text] if text in own else self._vectors[self._row[text]] for text in texts]
        return torch.stack(rows).to(self.encoder.device)

    def _piece(
        self, texts: list[str], progress: Callable[[int], None] | None, cache: Kept | None
    ) -> Tensor:
        path = self.folder / "vectors" / f"{self._key(texts)}.safetensors" if self.folder else None
        known = by_first(lambda: _read(path) if path else None)
        if known is not None and known.shape == (len(texts), self._vectors.shape[1]):
            self.reused += len(texts)
            if progress:
                progress(len(texts))
            return known
        vectors = encode(self.encoder, texts, rows=Bare(cache), progress=progress)
        if path and is_first():
            self._keep(path, vectors)
        return vectors

    def _keep(self, path: Path, vectors: Tensor) -> None:
        """Write a piece; without a cache a run is slower and as good."""
        try:
            with atomic_file(path) as temporary:
                save_file({"vectors": vectors}, str(temporary))
            trim(path.parent)
        except (UserError, OSError) as error:
            logger.warning("frozen vectors are not kept for the next run: %s", error)
            self.folder = None

    def _key(self, texts: list[str]) -> str:
        e = self.encoder
        facts = [e.fingerprint, e.pooling.to_dict(), e.arithmetic, e.max_length, e.device.type]
        return hashlib.sha256(json.dumps([facts, texts]).encode()).hexdigest()


PARTS = {"frozen vectors": "vectors", "prefix states": "prefix"}
"""What the cache holds, and the folders of its pieces."""


@dataclass(frozen=True)
class Part:
    """One part of the cache.

    Attributes:
        name: What it holds.
        folder: Where its pieces lie.
        files: How many there are.
        bytes: What they take together.
    """

    name: str
    folder: Path
    files: int
    bytes: int


def parts(cache: Path) -> list[Part]:
    """What lies in a cache folder just now, part by part."""
    found = []
    for name, inside in PARTS.items():
        sizes = [size for _, size, _ in _files(cache / inside)]
        found.append(Part(name, cache / inside, len(sizes), sum(sizes)))
    return found


def clear(cache: Path) -> None:
    """Remove all pieces of a cache.

    Processes that have pieces open go on: they are unlinked, never cut, and what a writer is at
    just now is left to it.

    Raises:
        UserError: A piece can't be removed.
    """
    for part in parts(cache):
        sweep(part.folder / "*", older=DAY)
        try:
            for _, _, file in _files(part.folder):
                file.unlink(missing_ok=True)
        except OSError as error:
            what = f"can't remove the {part.name} ({error.strerror})"
            raise UserError(what, where=str(part.folder)) from None


def trim(folder: Path, limit: int = LIMIT_BYTES) -> None:
    """Remove the pieces used longest ago until the folder is within the limit, in bytes."""
    sweep(folder / "*", older=DAY)
    total = 0
    for _, size, file in sorted(_files(folder), reverse=True):
        total += size
        if total > limit:
            file.unlink(missing_ok=True)


def _files(folder: Path) -> Iterator[tuple[float, int, Path]]:
    """Time of last use, bytes and path of each piece; another process may remove some."""
    for file in folder.glob("*.safetensors"):
        with contextlib.suppress(FileNotFoundError):
            state = file.stat()
            yield state.st_mtime, state.st_size, file


def _read(path: Path) -> Tensor | None:
    try:
        vectors = load_file(str(path))["vectors"]
        with contextlib.suppress(PermissionError):
            os.utime(path)
        return vectors
    except (OSError, SafetensorError, KeyError):
        return None
