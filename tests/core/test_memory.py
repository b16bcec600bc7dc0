from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from xadapt.core.memory import _trim, give_back

PAGES = Path("/proc/self/statm")


def resident() -> int:
    return int(PAGES.read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


@pytest.mark.skipif(_trim() is None or not PAGES.exists(), reason="the C library is not glibc")
def test_what_lies_between_living_blocks_is_given_back():
    blocks = [torch.ones(24_000) for _ in range(800)]  # 96 KB each, 75 MB
    kept = blocks[::8]
    full = resident()
    del blocks
    before = resident()
    give_back()
    after = resident()
    assert full - before < 20 << 20, "it was given back by itself"
    assert before - after > 40 << 20
    assert all(float(one.sum()) == 24_000 for one in kept)


def test_another_c_library_gives_nothing_back(monkeypatch):
    monkeypatch.setattr("sys.platform", "win32")
    _trim.cache_clear()
    assert give_back() is False
    _trim.cache_clear()
