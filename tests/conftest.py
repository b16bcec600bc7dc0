"""Tiny models are fastest on one thread, and no test may touch the user's own caches.

The fixtures of several rooms are imported here, so that pytest finds them by name.
"""

from __future__ import annotations

import gc
import os
import tempfile

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["XADAPT_CACHE"] = tempfile.mkdtemp(prefix="xadapt-tests-")

import torch  # after the number of threads is set

torch.set_num_threads(1)

from hypothesis import settings  # noqa: E402
from local_hub import local_hub  # noqa: E402, F401
from tiny_commands import de, place  # noqa: E402, F401
from tiny_open_ie import taggers  # noqa: E402, F401
from tiny_tagging import head, made  # noqa: E402, F401

# A shared machine may stall any one example; how long it takes is no property of the code.
settings.register_profile("house", deadline=None)
settings.load_profile("house")
# No test pulls the plug of the machine, and ten thousand files would wait for its disk.
os.fsync = lambda fd: None


def pytest_collection_finish() -> None:
    """Leave what was imported out of later collections, and collect cycles less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000)
