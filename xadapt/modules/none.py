"""No module at all: what is trained is an objective's head alone."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from xadapt.modules.hooks import AdapterHook, ModelShape, ModuleOptions


class NothingOptions(ModuleOptions):
    """No options of its own."""


class Nothing(nn.Module):
    """Adds nothing: the control that tells what a head reads off the frozen states by itself.

    Source: Alain and Bengio 2016, "Understanding intermediate layers using linear classifier
    probes", https://arxiv.org/abs/1610.01644.

    Args:
        options: None.
        geometry: Not used.
        seed: Not used.
    """

    kind: ClassVar[str] = "none"
    Options: ClassVar[type[NothingOptions]] = NothingOptions

    def __init__(self, options: NothingOptions, model_shape: ModelShape, seed: int = 0) -> None:
        super().__init__()
        self.options = options

    def hooks(self) -> list[AdapterHook]:
        """None."""
        return []


Part = Nothing
Options = NothingOptions
