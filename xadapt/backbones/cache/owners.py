"""Names of the processes that own files, and detection of processes that have ended."""

from __future__ import annotations

import hashlib
import os
import socket
from functools import cache

import psutil

_CLOCK = 5
"""Seconds by which the start time of one process may differ between two readings."""


def owner() -> str:
    """Return the name of this process: hash of the host's name, process id and start time."""
    return _owner(os.getpid())


def has_ended(name: str) -> bool:
    """Check whether the process of an `owner` has certainly ended.

    Args:
        name: The result of `owner` in that process.

    Returns:
        True if no such process runs on this host. False for a process of another host, and for
        text that is not an owner.
    """
    try:
        host, pid, start = name.split(".")
        number, began = int(pid), int(start)
    except ValueError:
        return False
    if host != _host():
        return False
    try:
        process = psutil.Process(number)
        other = abs(process.create_time() - began) > _CLOCK
        return other or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False


@cache
def _owner(pid: int) -> str:
    return f"{_host()}.{pid}.{int(psutil.Process(pid).create_time())}"


@cache
def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
