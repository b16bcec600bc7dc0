"""Calls of a tokenizer from several threads, one at a time."""

from __future__ import annotations

import threading
from typing import Any
from weakref import WeakKeyDictionary

_LOCKS: WeakKeyDictionary[Any, threading.Lock] = WeakKeyDictionary()
_MAKING = threading.Lock()


def call_tokenizer(tokenizer: Any, *args: Any, **options: Any) -> Any:
    """Call a tokenizer while no other thread calls it.

    A fast tokenizer stores truncation and padding as its own state, and a call with other options
    changes this state. Two such calls at once fail with "Already borrowed", or give rows of a wrong
    length.

    Args:
        tokenizer: A tokenizer of transformers.
        *args: Arguments of the tokenizer.
        **options: Options of the tokenizer.

    Returns:
        The result of the tokenizer.
    """
    with _MAKING:
        lock = _LOCKS.setdefault(tokenizer, threading.Lock())
    with lock:
        return tokenizer(*args, **options)
