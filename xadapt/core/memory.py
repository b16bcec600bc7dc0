"""Give memory that was freed back to the system."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import cache


def give_back() -> bool:
    """Give pages that hold nothing back to the system, where the C library can.

    The allocator of glibc keeps what is freed between two blocks that live. A process whose blocks
    have many sizes then holds far more than it uses. This walks over all of it, in milliseconds.

    Source: ``malloc_trim(3)`` of glibc.

    Returns:
        Whether anything was given back.
    """
    trim = _trim()
    return trim is not None and bool(trim(0))


@cache
def _trim() -> Callable[[int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        found = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):  # another C library
        return None
    found.argtypes, found.restype = [ctypes.c_size_t], ctypes.c_int
    made: Callable[[int], int] = found
    return made
