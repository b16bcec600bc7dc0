"""The examples as an installed package: its entry points are all that xadapt knows of them."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from extending.listing import examples

from xadapt.core import registry


@pytest.fixture(scope="package", autouse=True)
def installed_examples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Install a package ``stranger`` that holds every example, and take it away at the end."""
    site = tmp_path_factory.mktemp("site")
    package, info = site / "stranger", site / "stranger-1.0.dist-info"
    package.mkdir()
    info.mkdir()
    (package / "__init__.py").write_text("")
    groups: dict[str, list[str]] = {}
    for place, file in examples().items():
        room, name = place.split("/")
        shutil.copy(file, package)
        groups.setdefault(room, []).append(f"{name} = stranger.{name}")
    entries = [f"[xadapt.{room}]\n" + "\n".join(lines) for room, lines in groups.items()]
    (info / "entry_points.txt").write_text("\n".join(entries) + "\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
    sys.path.insert(0, str(site))
    importlib.invalidate_caches()
    registry.names.cache_clear()
    yield site
    sys.path.remove(str(site))
    for name in [name for name in sys.modules if name.split(".")[0] == "stranger"]:
        del sys.modules[name]
    importlib.invalidate_caches()
    registry.names.cache_clear()
