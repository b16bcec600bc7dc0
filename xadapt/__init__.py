"""xadapt: alignment modules on a frozen multilingual encoder.

The command line's verbs, in Python: `train`, `load`, `encode`, `compose`, `evaluate`. They are
described in `xadapt.api`; `encode_shards` in `xadapt.inference.bulk.encoding`, and `open_vectors`, which
opens what it made, in `xadapt.vectors.shards`. These are imported when the first of their verbs is
used, so that ``import xadapt`` and ``xadapt --help`` take no time. What task heads answer is in
`xadapt.tasks`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xadapt.api import (
        compose,
        encode,
        evaluate,
        load,
        train,
    )
    from xadapt.inference.bulk.encoding import encode_shards
    from xadapt.vectors.shards import open_vectors

ELSEWHERE = {
    "encode_shards": "xadapt.inference.bulk.encoding",
    "open_vectors": "xadapt.vectors.shards",
}
VERBS = ("train", "load", "encode", "compose", "evaluate", *ELSEWHERE)
OLD = (  # kept for one version: evaluate(TASK, ..) is what they call
    "evaluate_tagging", "evaluate_classification", "evaluate_sts", "evaluate_qa",
    "evaluate_open_ie",
)  # fmt: skip
__all__ = [
    "__version__", "compose", "encode", "encode_shards", "evaluate", "load", "open_vectors",
    "train",
]  # fmt: skip


class _Package(ModuleType):
    """This module, where rooms such as `xadapt.training` don't hide the verbs of their names.

    Python binds a package's submodule under its name when it is imported; for these the name
    stays with the verb. ``from xadapt.training.loop import Trainer`` works as ever.
    """

    def __getattr__(self, name: str) -> Any:
        if name in VERBS or name in OLD:
            from importlib import import_module

            return getattr(import_module(ELSEWHERE.get(name, "xadapt.api")), name)
        if name == "__version__":
            from importlib.metadata import version

            return version("xadapt")
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in VERBS or not isinstance(value, ModuleType):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


sys.modules[__name__].__class__ = _Package
