"""Read lines of text files, plain or compressed, in bounded memory, with line numbers in errors."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, NamedTuple

from xadapt.core.errors import UserError
from xadapt.data.readers.compressed import BROKEN, bare_name, broken, kind_of, open_stream

LINE_CHARS = 1 << 20
"""The largest length of a line or field, in characters. No sentence is a mebibyte long."""

BLOCK = 1 << 16
"""Bytes that are read at a time."""

_BOM = b"\xef\xbb\xbf"


class Chunk(NamedTuple):
    """Neighbouring lines of a file.

    Attributes:
        first: Number of the first line, from 1.
        lines: The lines, without line ends.
    """

    first: int
    lines: list[str]


def too_long(where: str, limit: int) -> UserError:
    """Return the error for a row longer than ``limit`` characters."""
    return UserError(
        f"this row is longer than {limit:,} characters",
        where=where,
        todo="Rows must be sentences: look for a missing line end or an unclosed quote",
    )


def has_suffix(source: str, *suffixes: str) -> bool:
    """Return whether a path ends in one of ``suffixes``, in any case.

    The ending of a compressed file may follow. For a zip archive with one file, the name of that
    file counts.
    """
    return bare_name(source).endswith(suffixes)


@contextmanager
def open_bytes(path: str) -> Iterator[IO[bytes]]:
    """Open a file for reading bytes, as `xadapt.data.readers.compressed.open_stream`.

    Raises:
        UserError: If there is no such file, the path is a folder, or the file can't be opened.
    """
    try:
        if Path(path).is_dir():
            raise UserError("this is a folder, not a file", where=path, todo="Name the file in it")
        opened = open_stream(path)
        stream = opened.__enter__()
    except FileNotFoundError:
        raise UserError("there is no such file", where=path, todo="Check the path") from None
    except NotADirectoryError:
        raise UserError("there is no such file", where=path, todo="Check the path") from None
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"can't open this file ({_reason(error)})", where=path) from None
    try:
        yield stream
    finally:
        opened.__exit__(None, None, None)


def take(read: Callable[[int], bytes], size: int, where: str, path: str | None = None) -> bytes:
    """Call ``read(size)`` (a stream's ``read`` or ``readline``) and translate its errors.

    Args:
        read: The function.
        size: Its argument, the most bytes to read.
        where: Place of the next byte, for errors.
        path: The file, if ``where`` also holds a line.

    Raises:
        UserError: If compressed data are damaged, or the file can't be read.
    """
    source = path or where
    try:
        return read(size)
    except BROKEN as error:
        raise broken(source, where, error) from None
    except OSError as error:
        if kind_of(source) == "bz2" and error.errno is None:
            raise broken(source, where, error) from None
        raise UserError(f"can't read this file ({_reason(error)})", where=where) from None


def read_lines(path: str, *, limit: int = LINE_CHARS) -> Iterator[tuple[int, str]]:
    r"""Yield ``(line number from 1, text)``, without the line end (``\n`` or ``\r\n``) and BOM.

    The memory is at most ``8 * limit`` bytes, for lines of any length.

    Raises:
        UserError: If the file can't be opened, compressed data are damaged, or a line is not UTF-8,
            contains a NUL, or is longer than ``limit`` characters.
    """
    return numbered(read_chunks(path, limit=limit))


def read_chunks(path: str, *, limit: int = LINE_CHARS) -> Iterator[Chunk]:
    """Yield the lines of a file, many at a time, as in `read_lines`."""
    with open_bytes(path) as stream:
        yield from stream_chunks(stream, path, limit=limit)


def stream_lines(
    stream: IO[bytes], name: str, *, limit: int = LINE_CHARS
) -> Iterator[tuple[int, str]]:
    """Yield the lines of an open stream, such as standard input, as in `read_lines`.

    Args:
        stream: A stream open for reading bytes.
        name: Name of the stream in errors.
        limit: The longest line, in characters.

    Raises:
        UserError: If reading fails, as in `read_lines`.
    """
    return numbered(stream_chunks(stream, name, limit=limit))


def numbered(chunks: Iterator[Chunk]) -> Iterator[tuple[int, str]]:
    """Return the lines of chunks, each with its number."""
    return chain.from_iterable(enumerate(chunk.lines, chunk.first) for chunk in chunks)


def stream_chunks(stream: IO[bytes], name: str, *, limit: int = LINE_CHARS) -> Iterator[Chunk]:
    """Yield the lines of an open stream, many at a time, as in `read_lines`.

    Lines before a faulty line are yielded before the error is raised. A stream that has fewer bytes
    ready, such as a pipe, is not waited for.
    """
    read = getattr(stream, "read1", stream.read)
    number = 1
    rest: list[bytes] = []
    size = 0
    while True:
        block = take(read, BLOCK, f"{name}:{number}", name)
        end = block.rfind(b"\n") + 1
        if block and not end:
            rest.append(block)
            size += len(block)
            # UTF-8 takes at most 4 bytes a character; 3 more for the BOM, 2 for the line end.
            if size > 4 * limit + 5:
                raise too_long(f"{name}:{number}", limit)
            continue
        whole = b"".join((*rest, block[:end]))
        rest = [block[end:]]
        size = len(block) - end
        if number == 1:
            whole = whole.removeprefix(_BOM)
        if whole:
            lines = yield from _decoded(whole, name, number, limit)
            number += lines
        if not block:
            return


def _decoded(data: bytes, name: str, first: int, limit: int) -> Generator[Chunk, None, int]:
    """Yield whole lines as one chunk, and return their number."""
    data = data.removesuffix(b"\n")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    lines = text.split("\n")
    if "\r" in text:
        lines = [line.removesuffix("\r") for line in lines]
    if "\0" in text or (len(text) > limit and max(map(len, lines)) > limit):
        lines = []
        for number, raw in enumerate(data.split(b"\n"), first):
            try:
                lines.append(_decode(raw, f"{name}:{number}", limit))
            except UserError:
                if lines:
                    yield Chunk(first, lines)
                raise
    yield Chunk(first, lines)
    return len(lines)


def _decode(raw: bytes, where: str, limit: int) -> str:
    raw = raw.removesuffix(b"\r")
    if len(raw) > 4 * limit:
        raise too_long(where, limit)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"this line is not UTF-8 (byte {error.start + 1} is 0x{raw[error.start]:02x})",
            where=where,
            todo="Convert the file to UTF-8, for example with iconv",
        ) from None
    if "\0" in text:
        raise UserError(
            "this line holds a NUL character, so it is not UTF-8 text",
            where=where,
            todo="Convert the file to UTF-8 (it may be UTF-16), for example with iconv",
        )
    if len(text) > limit:
        raise too_long(where, limit)
    return text


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
