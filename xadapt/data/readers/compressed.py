"""Open compressed files as streams of bytes: ``.gz .bz2 .xz .zst .zip``, in bounded memory.

Nothing is unpacked to memory or disk as a whole, so the size of the unpacked data has no limit. The
dictionary of ``.xz`` and the window of ``.zst`` are limited, since they are held in memory.

A zip archive acts as a folder: ``corpus.zip/part.tsv`` is a file in it. The archive itself stands
for its only file, apart from a README and a licence.
"""

from __future__ import annotations

import bz2
import gzip
import io
import logging
import lzma
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from xadapt.core.errors import UserError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

logger = logging.getLogger(__name__)

SUFFIXES = (".gz", ".bz2", ".xz", ".zst", ".zip")
"""Endings of compressed files."""
XZ_MEMORY = 1 << 28
"""The most bytes for the dictionary of ``.xz`` (``xz -9`` needs a quarter)."""
ZST_WINDOW = 27
"""The largest window of ``.zst``, as the power of 2 of its bytes (``zstd --long``)."""
_BLOCK = 1 << 16
_ASIDE = ("readme", "license", "licence", "copying", "credits", "citation", "._", ".ds_store")

BROKEN = (
    gzip.BadGzipFile,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    zstd.ZstdError,
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    NotImplementedError,
)
"""Errors of compressed data that are damaged, cut or of an unknown kind. bz2 raises OSError."""


def bare_name(path: str) -> str:
    """Return the name without an ending of compressed files, in lower case.

    A zip archive with one file and a name of its own, such as ``corpus.zip`` with ``a.tsv`` in it,
    has the name of that file.
    """
    lower = path.lower()
    for suffix in SUFFIXES:
        if lower.endswith(suffix):
            bare = lower.removesuffix(suffix)
            inner = _only_name(path) if suffix == ".zip" and not Path(bare).suffix else None
            return bare if inner is None else bare_name(inner)
    return lower


def unpacked(path: str) -> str:
    """Return a path without the ending of compressed files."""
    return next((path[: -len(s)] for s in SUFFIXES if path.lower().endswith(s)), path)


def is_file(path: str) -> bool:
    """Return whether there is such a file, also in a zip archive."""
    try:
        inside = None if Path(path).is_file() else in_archive(path)
        return Path(path).is_file() or (inside is not None and inside[1] in names_in(inside[0]))
    except (OSError, ValueError, UserError):
        return False


def files_in(folder: str) -> list[str]:
    """Return the names of the files in a folder or zip archive; empty if it can't be read."""
    try:
        if Path(folder or ".").is_dir():
            return sorted(p.name for p in Path(folder or ".").iterdir() if p.is_file())
        if folder.lower().endswith(".zip") and Path(folder).is_file():
            return sorted(names_in(folder))
    except (OSError, ValueError, UserError):
        pass
    return []


def kind_of(path: str) -> str:
    """Return the ending of a compressed file without the dot, or an empty string."""
    return next((s[1:] for s in SUFFIXES if path.lower().endswith(s)), "")


@contextmanager
def open_stream(path: str) -> Iterator[IO[bytes]]:
    """Open a file for reading bytes. A compressed file is unpacked while it is read.

    Raises:
        UserError: If the file is not there or can't be opened, or a zip archive is damaged,
            encrypted, empty, or holds several files.
    """
    with _open(path) as stream:
        yield stream


def in_archive(path: str) -> tuple[str, str] | None:
    """Split ``corpus.zip/part.tsv`` into the archive, if it is there, and the name in it."""
    parts = path.replace("\\", "/").split("/")
    for at in range(len(parts) - 1, 0, -1):
        if parts[at - 1].lower().endswith(".zip"):
            archive = path[: len("/".join(parts[:at]))]
            return (archive, "/".join(parts[at:])) if Path(archive).is_file() else None
    return None


def names_in(archive: str) -> list[str]:
    """Return the names of the files in a zip archive, in order, without hidden files.

    Raises:
        UserError: If the archive is damaged.
    """
    with _archive(archive) as opened:
        return _files(opened)


def _open(path: str) -> Any:
    kind = kind_of(path)
    if kind == "zip":
        return _member(path, None)
    inside = None if Path(path).exists() else in_archive(path)
    if inside is not None:
        return _member(*inside)
    if kind == "xz":
        return io.BufferedReader(_Xz(path), _BLOCK)
    if kind == "zst":
        limit = {int(zstd.DecompressionParameter.window_log_max): ZST_WINDOW}
        return zstd.open(path, "rb", options=limit)
    if kind == "bz2":
        return bz2.open(path, "rb")
    return gzip.open(path, "rb") if kind == "gz" else Path(path).open("rb")


class _Xz(io.RawIOBase):
    """The unpacked bytes of an ``.xz`` file. ``lzma.open`` has no limit of memory."""

    def __init__(self, path: str) -> None:
        self._file = Path(path).open("rb")  # noqa: SIM115
        self._part = self._new()
        self._rest = b""

    def _new(self) -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_AUTO, memlimit=XZ_MEMORY)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _read(self, size: int) -> bytes:
        while True:
            if self._part.eof:
                # Another stream may follow, after zero bytes that fill up to a multiple of 4.
                rest = (self._part.unused_data or self._file.read(_BLOCK)).lstrip(b"\0")
                while not rest:
                    more = self._file.read(_BLOCK)
                    if not more:
                        return b""
                    rest = more.lstrip(b"\0")
                self._part, self._rest = self._new(), rest
            elif not self._rest and self._part.needs_input:
                self._rest = self._file.read(_BLOCK)
                if not self._rest:
                    raise EOFError("the file ends before the end of its data")
            data = self._part.decompress(self._rest, size)
            self._rest = b""
            if data:
                return data

    def close(self) -> None:
        self._file.close()
        super().close()


@contextmanager
def _archive(path: str) -> Iterator[zipfile.ZipFile]:
    try:
        opened = zipfile.ZipFile(path)
    except BROKEN as error:
        raise broken(path, path, error) from None
    with opened:
        yield opened


def _files(archive: zipfile.ZipFile) -> list[str]:
    names = [info.filename for info in archive.infolist() if not info.is_dir()]
    return [n for n in names if not n.startswith("__MACOSX/") and n.rpartition("/")[2][:1] != "."]


@contextmanager
def _member(path: str, name: str | None) -> Iterator[IO[bytes]]:
    """Open one file of an archive, the only one if no name is given."""
    with _archive(path) as archive:
        names = _files(archive)
        if name is None:
            name = _only(names, path)
        elif name not in names:
            raise UserError(
                f"there is no file {name[:80]!r} in this archive", where=path, todo=_choices(names)
            )
        if kind_of(name):
            raise UserError(
                f"{name[:80]!r} is compressed once more inside of this archive",
                where=path,
                todo="Unpack the archive, and name the file in it",
            )
        if archive.getinfo(name).flag_bits & 1:
            raise UserError(
                "this archive is encrypted",
                where=path,
                todo="Unpack it with its password, and name the unpacked file",
            )
        try:
            stream = archive.open(name)
        except BROKEN as error:
            raise broken(path, path, error) from None
        with stream:
            yield cast(IO[bytes], io.BufferedReader(cast(Any, stream), _BLOCK))


def _only(names: list[str], path: str) -> str:
    data = [name for name in names if not _is_aside(name)] or names
    if len(data) == 1:
        if len(names) > 1:
            logger.warning("%s: %s is read, of %d files", Path(path).name, data[0], len(names))
        return data[0]
    if not data:
        raise UserError("there is no file in this archive", where=path, todo="Check the archive")
    raise UserError(f"this archive holds {len(data)} files", where=path, todo=_choices(data, path))


def _only_name(path: str) -> str | None:
    """Return the name of the only file of an archive; ``None`` if there are more, or none."""
    try:
        data = [name for name in names_in(path) if not _is_aside(name)]
    except (UserError, OSError, ValueError):
        return None
    return data[0] if len(data) == 1 and not data[0].lower().endswith(".zip") else None


def _is_aside(name: str) -> bool:
    return name.rpartition("/")[2].lower().startswith(_ASIDE)


def _choices(names: list[str], path: str = "ARCHIVE.zip") -> str:
    shown = ", ".join(name[:60] for name in names[:6]) + (", ..." if len(names) > 6 else "")
    first = names[0][:60] if names else "NAME"
    return f"Name one as {path}/{first} (there are: {shown or 'none'})"


def broken(path: str, where: str, error: Exception) -> UserError:
    """Build the error for compressed data that can't be unpacked."""
    kind = {"gz": "gzip", "zst": "zstd"}.get(kind_of(path), kind_of(path)) or "zip"
    reason = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, lzma.LZMAError) and "emory usage limit" in reason:
        todo = f"Pack it again with a dictionary below {XZ_MEMORY >> 20} MiB, such as xz -9"
    elif isinstance(error, zstd.ZstdError) and "memory" in reason.lower():
        todo = f"Pack it again with a window of at most {1 << ZST_WINDOW >> 20} MiB"
    else:
        todo = "Fetch the file again, or rename it if it is not packed"
    return UserError(f"the {kind} data is broken ({reason[:200]})", where=where, todo=todo)
