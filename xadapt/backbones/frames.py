"""Pass the activation of one forward to the hooks of a model, and guard the model's weights.

The forward of transformers can't pass our values to its linears. A frame can: it belongs to one
forward in one thread, and ends with the forward. Nothing is stored on the model or on the encoder,
so threads and nested forwards never see each other's frames.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol
from weakref import WeakKeyDictionary

from torch import Tensor, nn

from xadapt.backbones.cache.reuse import Kept
from xadapt.core.errors import UserError

# torch.compile traces a thread-local into its graph, and breaks the graph at a ContextVar.
_LOCAL = threading.local()
_GUARDS: WeakKeyDictionary[nn.Module, WeightsGuard] = WeakKeyDictionary()
_MAKING = threading.Lock()


class InWeights(Protocol):
    """An update that is merged into the weights of a model for a while."""

    @property
    def lowest(self) -> int:
        """The lowest layer with changed weights; the depth if no layer has any."""


class ActsInForward(Protocol):
    """The activation of one forward; `xadapt.injection.activation.Activation` implements it."""

    @property
    def acts(self) -> bool:
        """Whether any row has an adapter."""

    @property
    def merged(self) -> InWeights | None:
        """The update that the forward expects in the weights."""

    @property
    def vocabularies(self) -> frozenset[Any]:
        """The tokenizers of adapters with a vocabulary of their own."""

    def require(self, guard: object) -> None:
        """Check that all adapters were made for the model of a guard."""

    def begins_at(self, stop: int | None) -> Kept | None:
        """Return the cached states that a forward may begin at; ``None`` if there are none.

        Args:
            stop: One past the last layer that the forward runs; ``None`` means all.
        """

    def reading(self, ids: Sequence[Sequence[int]]) -> ActsInForward:
        """Return the activation of rows with these token ids, which say who has read the text.

        Args:
            ids: The token ids of each row of the forward.
        """


@dataclass(frozen=True)
class Bare:
    """The activation of a forward of the bare base, which may begin at cached states.

    Attributes:
        cache: The states; ``None`` begins at the tokens.
    """

    cache: Kept | None = None
    acts: ClassVar[bool] = False
    merged: ClassVar[None] = None
    vocabularies: ClassVar[frozenset[Any]] = frozenset()

    def require(self, guard: object) -> None:
        """Check nothing, because no adapter acts."""

    def begins_at(self, stop: int | None) -> Kept | None:
        """Return the cache, if the forward goes beyond its layer."""
        return usable(self.cache, stop, None)

    def reading(self, ids: Sequence[Sequence[int]]) -> ActsInForward:
        """Return the same activation, because no adapter acts."""
        return self


def usable(cache: Kept | None, stop: int | None, lowest: int | None) -> Kept | None:
    """Return a cache if a forward may begin at its states, else ``None``.

    Args:
        cache: The cache, if there is one.
        stop: One past the last layer that the forward runs; ``None`` means all.
        lowest: The lowest layer with an active adapter; ``None`` if there is none.
    """
    if cache is None or (stop is not None and stop <= cache.start):
        return None
    return cache if lowest is None or lowest >= cache.start else None


class WeightsGuard:
    """A lock between the forwards of one model and exchanges of its weights.

    All encoders around one model share its guard. Any number of forwards run at once. An exchange
    waits until the running forwards end. Later forwards wait until the exchange ends.

    Attributes:
        merged: The update that is in the weights now; ``None`` if they are the base's own.
    """

    def __init__(self) -> None:
        self.merged: InWeights | None = None
        self._changed = threading.Condition()
        self._running: dict[int, int] = {}
        self._exchanges = 0

    def begin(self, merged: InWeights | None, stop: int) -> None:
        """Register that a forward begins in this thread.

        Args:
            merged: The update that the forward expects in the weights.
            stop: One past the last layer that the forward runs.

        Raises:
            UserError: If another update is merged into the layers that the forward runs.
        """
        own = threading.get_ident()
        with self._changed:
            while self._exchanges and own not in self._running:
                self._changed.wait()
            self._require(merged, stop)
            self._running[own] = self._running.get(own, 0) + 1

    def end(self) -> None:
        """Register that a forward of this thread has ended."""
        own = threading.get_ident()
        with self._changed:
            self._running[own] -= 1
            if not self._running[own]:
                del self._running[own]
                if self._exchanges:
                    self._changed.notify_all()

    @contextmanager
    def exchange(self) -> Iterator[None]:
        """Block all forwards while the weights are exchanged inside the block.

        Raises:
            UserError: If this thread is inside a forward of the model.
        """
        with self._changed:
            if threading.get_ident() in self._running:
                raise UserError("weights can't be exchanged inside a forward of the same base")
            self._exchanges += 1
            while self._running:
                self._changed.wait()
            try:
                yield
            finally:
                self._exchanges -= 1
                self._changed.notify_all()

    def _require(self, merged: InWeights | None, stop: int) -> None:
        if merged is self.merged:
            return
        touched = min(one.lowest for one in (merged, self.merged) if one is not None)
        if stop <= touched:
            return
        if self.merged is None:
            raise UserError("the module that this forward needs is no longer merged into the base")
        raise UserError(
            "a module is merged into this base, and this forward is of the base without it",
            todo="Leave the block of merged first, or encode through what the block is given",
        )


@dataclass(eq=False)
class Frame:
    """The values that the hooks of one forward read.

    Attributes:
        guard: The guard of the running model.
        activation: The activation of the forward.
        mask: 1 where a token is real, ``(batch, tokens)``.
        inputs: Inputs of attentions and FFNs, captured in the forward, by layer and name.
        ids: Token ids ``(batch, tokens)`` of the input, if an adapter reads them.
        group: Positions of the rows that an attention currently processes; ``None`` for all rows.
    """

    guard: WeightsGuard
    activation: Any
    mask: Tensor
    inputs: dict[Any, Tensor] = field(default_factory=dict)
    ids: Tensor | None = None
    group: Tensor | None = None

    def narrowed(self, rows: Tensor) -> Frame:
        """Return a frame of some rows under the same adapters, as if they were the whole batch."""
        return replace(self, activation=self.activation.narrowed(int(rows[0])), group=rows)


def guard_of(model: nn.Module) -> WeightsGuard:
    """Return the guard of a model; each model has one."""
    with _MAKING:
        guard = _GUARDS.get(model)
        if guard is None:
            guard = _GUARDS[model] = WeightsGuard()
        return guard


def current(guard: WeightsGuard) -> Frame | None:
    """Return the frame of this thread's forward, or ``None``.

    The result is ``None`` if this thread runs no forward of this model with an active adapter.
    """
    frame: Frame | None = getattr(_LOCAL, "frame", None)
    return frame if frame is not None and frame.guard is guard else None


@contextmanager
def framed(frame: Frame | None) -> Iterator[None]:
    """Set the frame that hooks of this thread see inside the block; ``None`` for no frame."""
    before = getattr(_LOCAL, "frame", None)
    _LOCAL.frame = frame
    try:
        yield
    finally:
        _LOCAL.frame = before


@contextmanager
def forwarding(
    guard: WeightsGuard, activation: ActsInForward | None, mask: Tensor, stop: int
) -> Iterator[None]:
    """Run one forward inside the block.

    Args:
        guard: The guard of the model.
        activation: The activation; ``None`` for the bare base.
        mask: 1 where a token is real, ``(batch, tokens)``.
        stop: One past the last layer that runs.

    Raises:
        UserError: If the activation was made for another model, or another update is merged into
            the weights of this model.
    """
    frame = None
    if activation is not None:
        activation.require(guard)
        frame = Frame(guard, activation, mask) if activation.acts else None
    guard.begin(None if activation is None else activation.merged, stop)
    try:
        with framed(frame):
            yield
    finally:
        guard.end()
