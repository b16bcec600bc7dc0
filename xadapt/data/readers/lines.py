"""Read lines of text files, plain or ``.gz``, in bounded memory, with line numbers in errors."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from xadapt.core.errors import UserError

LINE_CHARS = 1 << 20
"""The largest length of a line or field, in characters. No sentence is a mebibyte long."""

_BOM = b"\xef\xbb\xbf"


def too_long(where: str, limit: int) -> UserError:
    """Return the error for a row longer than ``limit`` characters."""
    return UserError(
        f"this row is longer than {limit:,} characters",
        where=where,
        todo="Rows must be sentences: look for a missing line end or an unclosed quote",
    )


def has_suffix(source: str, *suffixes: str) -> bool:
    """Return whether a path ends in one of ``suffixes``, with or without ``.gz``, in any case."""
    return source.lower().removesuffix(".gz").endswith(suffixes)


@contextmanager
def open_bytes(path: str) -> Iterator[IO[bytes]]:
    """Open a file for reading bytes. A file that ends in ``.gz`` is unpacked.

    Raises:
        UserError: If there is no such file, the path is a folder, or the file can't be opened.
    """
    try:
        if Path(path).is_dir():
            raise UserError("this is a folder, not a file", where=path, todo="Name the file in it")
        packed = path.lower().endswith(".gz")
        stream = cast(IO[bytes], gzip.open(path, "rb") if packed else Path(path).open("rb"))  # noqa: SIM115
    except FileNotFoundError:
        raise UserError("there is no such file", where=path, todo="Check the path") from None
    except (OSError, ValueError) as error:
        raise UserError(f"can't open this file ({_reason(error)})", where=path) from None
    with stream:
        yield stream


def take(read: Callable[[int], bytes], size: int, where: str) -> bytes:
    """Call ``read(size)`` (a stream's ``read`` or ``readline``) and translate its errors.

    Raises:
        UserError: If the gzip data is damaged, or the file can't be read.
    """
    try:
        return read(size)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(
            f"the gzip data is broken ({_reason(error)})",
            where=where,
            todo="Fetch the file again, or rename it if it is not packed",
        ) from None
    except OSError as error:
        raise UserError(f"can't read this file ({_reason(error)})", where=where) from None


def read_lines(path: str, *, limit: int = LINE_CHARS) -> Iterator[tuple[int, str]]:
    r"""Yield ``(line number from 1, text)``, without the line end (``\n`` or ``\r\n``) and BOM.

    The memory is at most ``4 * limit`` bytes, for lines of any length.

    Raises:
        UserError: If the file can't be opened, the gzip data is damaged, or a line is not UTF-8,
            contains a NUL, or is longer than ``limit`` characters.
    """
    with open_bytes(path) as stream:
        yield from stream_lines(stream, path, limit=limit)


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
    number = 0
    while True:
        where = f"{name}:{number + 1}"
        # UTF-8 takes at most 4 bytes a character; 3 more for the BOM, 2 for the line end.
        raw = take(stream.readline, 4 * limit + 5, where)
        if not raw:
            return
        number += 1
        if number == 1:
            raw = raw.removeprefix(_BOM)
        yield number, _decode(raw, where, limit)


def _decode(raw: bytes, where: str, limit: int) -> str:
    raw = raw.removesuffix(b"\n").removesuffix(b"\r")
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
