from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import xadapt
from xadapt.core.errors import UserError
from xadapt.core.resources import resource

ROOT = Path(xadapt.__file__).parent.parent


def test_finds_files_and_folders():
    assert resource("kg_data", "cldr", "frames.yaml").is_file()
    assert resource("kg_data", "cldr").is_dir()
    assert resource("adapter_configs").is_dir()


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(UserError, match=r"Did you mean frames\.yaml"):
        resource("kg_data", "cldr", "frame.yaml")


@pytest.mark.parametrize("parts", [("..", "pyproject.toml"), ("cldr", "..", "..", "xadapt")])
def test_refuses_to_leave_the_folder(parts):
    with pytest.raises(UserError, match="leads out"):
        resource("kg_data", *parts)
    with pytest.raises(UserError, match="leads out"):
        resource("kg_data", str(ROOT / "pyproject.toml"))


def test_a_built_package_carries_the_folders(tmp_path):
    """Builds as a wheel build does, in a copy, and finds the file from the built package alone."""
    copy = tmp_path / "checkout"
    copy.mkdir()
    for name in ("pyproject.toml", "setup.py", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    (copy / "README.md").write_text("x")
    shutil.copytree(ROOT / "kg_data", copy / "kg_data")
    shutil.copytree(ROOT / "adapter_configs", copy / "adapter_configs")
    (copy / "xadapt").mkdir()
    shutil.copy(ROOT / "xadapt" / "__init__.py", copy / "xadapt" / "__init__.py")
    shutil.copytree(ROOT / "xadapt" / "core", copy / "xadapt" / "core")
    mini = ROOT / "xadapt" / "mini"
    shutil.copytree(mini, copy / "xadapt" / "mini")
    pytest.importorskip("setuptools", minversion="77")
    build = "from setuptools import build_meta as b; import sys; print(b.build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", build, str(tmp_path)], cwd=copy, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    site = tmp_path / "site"
    with zipfile.ZipFile(tmp_path / done.stdout.split()[-1]) as wheel:
        wheel.extractall(site)
    carried = {p.relative_to(site / "xadapt") for p in (site / "xadapt" / "mini").rglob("*")}
    assert carried == {p.relative_to(ROOT / "xadapt") for p in mini.rglob("*")}
    find = (
        "from xadapt.core.resources import resource\n"
        "print(resource('kg_data', 'cldr', 'frames.yaml'))"
    )
    found = subprocess.run(
        [sys.executable, "-c", find],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert Path(found) == site / "xadapt" / "kg_data" / "cldr" / "frames.yaml"
    assert Path(found).read_bytes() == (ROOT / "kg_data/cldr/frames.yaml").read_bytes()
