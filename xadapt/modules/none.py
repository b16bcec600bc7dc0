"""No module at all: only an objective's head is trained."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from xadapt.modules.hooks import AdapterHook, ModelShape, ModuleOptions


class NothingOptions(ModuleOptions):
    """The empty options of `Nothing`."""


class Nothing(nn.Module):
    """A module that adds nothing: the control for a head on the frozen states alone.

    Source: Alain and Bengio 2016, "Understanding intermediate layers using linear classifier
    probes", https://arxiv.org/abs/1610.01644.

    Args:
        options: None.
        model_shape: Not used.
        seed: Not used.
    """

    kind: ClassVar[str] = "none"
    Options: ClassVar[type[NothingOptions]] = NothingOptions

    def __init__(self, options: NothingOptions, model_shape: ModelShape, seed: int = 0) -> None:
        super().__init__()
        self.options = options

    def hooks(self) -> list[AdapterHook]:
        """Return no hooks."""
        return []


Part = Nothing
Options = NothingOptions
