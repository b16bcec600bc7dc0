"""What the loop asks of the frozen base of a run, of any kind: an encoder or an encoder-decoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from xadapt.training.active_module import ActiveModule
from xadapt.training.forward import Request
from xadapt.training.tasks import Task
from xadapt.training.tokenized import Row


class Encodes(Protocol):
    """The encoder of the views of a step.

    Attributes:
        active_module: The module under training, or the composition in which it is trained.
        tokens: Number of tokens in all forwards so far.
        padded: The same with padding.
    """

    active_module: ActiveModule
    tokens: int
    padded: int

    def __call__(self, requests: Sequence[Request]) -> list[Any]:
        """Encode views, in order."""


class BaseRun(Protocol):
    """The base of a run: how views are encoded, what objectives may name, and constants."""

    @property
    def forward(self) -> Encodes:
        """The encoder of the views of a step."""

    @property
    def services(self) -> dict[str, Any]:
        """What objectives may name that comes from the base."""

    @property
    def head_services(self) -> dict[str, Any]:
        """What the heads of objectives may name that comes from the base."""

    def tokenize(self, texts: Sequence[str]) -> list[Row]:
        """Tokenise texts, each once in a run."""

    def require(self, tasks: Sequence[Task], turns: Sequence[ActiveModule]) -> None:
        """Refuse objectives and modules that can't be trained on this base.

        Raises:
            UserError: If there is one.
        """

    def prepare(
        self, tasks: Sequence[Task], services: Sequence[Mapping[str, Any]], start: int, show: bool
    ) -> None:
        """Compute what does not change in the run.

        Args:
            tasks: Objectives with their records.
            services: Values that the methods of each objective may ask for.
            start: The lowest layer with a module.
            show: Whether progress is shown.
        """

    def compiled(self, asked: bool) -> AbstractContextManager[None]:
        """Compile the layers inside the block, if asked for.

        Raises:
            UserError: If that is not possible.
        """

    def unpin(self) -> None:
        """Stop keeping the cached activations of the run."""
