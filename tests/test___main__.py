from __future__ import annotations

import os
import subprocess
import sys


def test_the_package_runs_as_a_module():
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "xadapt", "evaluate", "--help"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0 and "bitext" in done.stdout and done.stderr == ""
