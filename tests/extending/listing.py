"""Where the examples are: each folder holds what a stranger writes to add one part."""

from __future__ import annotations

from pathlib import Path

from xadapt.core import registry

HERE = Path(__file__).parent
KINDS = ("objective", "reader", "transform", "metric")


def examples() -> dict[str, Path]:
    """The file of each example by the room it belongs to and its name, such as ``readers/x``."""
    found = {}
    for kind in KINDS:
        for file in sorted((HERE / kind).glob("*.py")):
            if not file.name.startswith("test_") and f"{kind}s" in registry.ROOMS:
                found[f"{kind}s/{file.stem}"] = file
    return found
