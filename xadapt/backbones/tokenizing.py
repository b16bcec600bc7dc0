"""Calls of a tokenizer from several threads, one at a time."""

from __future__ import annotations

import threading
from typing import Any
from weakref import WeakKeyDictionary

_LOCKS: WeakKeyDictionary[Any, threading.Lock] = WeakKeyDictionary()
_MAKING = threading.Lock()


def call_tokenizer(tokenizer: Any, *args: Any, **options: Any) -> Any:
    """Call a tokenizer while no other thread does.

    A fast tokenizer keeps truncation and padding as state of its own, and a call with other options
    changes it. Two such calls at once end with "Already borrowed", or with rows of a wrong length.

    Args:
        tokenizer: A tokenizer of transformers.
        *args: Passed on to it.
        **options: Passed on to it.

    Returns:
        What the tokenizer returns.
    """
    with _MAKING:
        lock = _LOCKS.setdefault(tokenizer, threading.Lock())
    with lock:
        return tokenizer(*args, **options)
