from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tiny_models import MANY, TEXTS, tiny_encoder

from xadapt.backbones.encoder.pairs import tokenize_pairs, tokenize_windows
from xadapt.backbones.encoder.words import tokenize_words
from xadapt.backbones.tokenizing import call_tokenizer


class Alone:
    """Notices two calls at once."""

    def __init__(self) -> None:
        self.inside, self.most, self.together = 0, 0, threading.Event()

    def __call__(self, *args: Any, **options: Any) -> tuple:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.together.wait(0.005)
        self.inside -= 1
        return args, options


def test_one_call_at_a_time_and_another_tokenizer_is_free() -> None:
    tokenizer, other = Alone(), Alone()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: call_tokenizer(tokenizer, n, a=n), range(16)))
        held = pool.submit(lambda: call_tokenizer(other, 1))
        assert held.result(30) == ((1,), {})
    assert tokenizer.most == 1 and found == [((n,), {"a": n}) for n in range(16)]


def test_an_error_frees_the_tokenizer() -> None:
    def broken() -> None:
        raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            call_tokenizer(broken)


def test_rows_of_all_kinds_are_tokenised_in_threads_as_in_one() -> None:
    """Each kind sets another truncation; without a lock they meet each other's, or fail."""
    encoder = tiny_encoder()
    long = [" ".join([text] * 9) for text in TEXTS]
    ways = [
        lambda: encoder.tokenize(MANY),
        lambda: tokenize_words(encoder, [text.split() for text in TEXTS]),
        lambda: tokenize_pairs(encoder, list(TEXTS), long),
        lambda: tokenize_windows(encoder, list(TEXTS), long, 8),
    ]
    wanted = [way() for way in ways]
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    try:
        with ThreadPoolExecutor(16) as pool:
            found = list(pool.map(lambda n: ways[n % 4](), range(400)))
    finally:
        sys.setswitchinterval(before)
    assert all(got == wanted[n % 4] for n, got in enumerate(found))
