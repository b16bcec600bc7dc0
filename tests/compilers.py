"""What this machine can compile with."""

from __future__ import annotations

import os
import shutil

import pytest

# torch.compile writes C++ for a CPU and calls this.
needs_compiler = pytest.mark.skipif(
    shutil.which(os.environ.get("CXX", "g++")) is None, reason="there is no C++ compiler"
)
