"""Compositions prepared for the rows of batches: prepared once, cached for the next call."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from torch import nn

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.finite import naming
from xadapt.backbones.mapped_tokenizer import MappedTokenizer
from xadapt.composition.composed import Composed
from xadapt.composition.text import show
from xadapt.composition.values import Composition
from xadapt.core.errors import UserError
from xadapt.injection.activation import Activation, ActiveAdapter, updates_of
from xadapt.injection.attachment import place
from xadapt.injection.merging import Merged, merged, merged_in
from xadapt.modules.hooks import hooks_of

KEPT = 256
Mark = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class _Made:
    """A prepared composition.

    Attributes:
        adapter: The composition on the encoder.
        named: The modules that its names stood for when it was prepared.
        mark: The state of its parts' values at that time; empty where the values are read at every
            forward.
    """

    adapter: ActiveAdapter
    named: Mapping[str, nn.Module]
    mark: Mark


class RowActivations:
    """The activations of a call's forwards, by the positions of their rows.

    Args:
        acts: The active adapter of each row of the call.
        chosen: The composition of each row, for errors.
        cache: Cached states from which the forwards may start.
        inside: The update merged into the base's weights, if it acts on all rows.
        languages: The language of each row, where it is known.
    """

    def __init__(
        self,
        acts: Sequence[ActiveAdapter | None],
        chosen: Sequence[Composition],
        cache: Kept | None = None,
        inside: Merged | None = None,
        languages: Sequence[str | None] | None = None,
    ) -> None:
        self._acts, self._chosen, self._cache, self._inside = acts, chosen, cache, inside
        self._languages = languages or [None] * len(acts)

    def __call__(self, chunk: list[int]) -> Activation:
        """Return the activation of the forward of some rows.

        Args:
            chunk: Positions of the rows.
        """
        if self._inside is not None:
            return self._inside.activation(self._cache)
        return Activation.by_row([self._acts[position] for position in chunk], cache=self._cache)

    def alike(self) -> list[Composition]:
        """Return the composition of each row of the call: rows with one have one activation."""
        return list(self._chosen)

    def vocabularies(self) -> list[MappedTokenizer | None]:
        """Return the tokenizer of each row of the call; ``None`` for the base's."""
        return [
            None if act is None or act.vocabulary is None else act.vocabulary.for_language(tag)
            for act, tag in zip(self._acts, self._languages, strict=True)
        ]

    @contextmanager
    def named(self) -> Iterator[None]:
        """Name the compositions in errors about non-finite values inside the block."""

        def name(wrong: list[int]) -> str:
            own = dict.fromkeys(self._chosen[row] for row in wrong)
            return ", ".join("the bare base" if one is None else show(one) for one in own)

        with naming(name):
            yield


class ComposedRows:
    """The cache of prepared compositions for the rows of an encoder's batches.

    The latest 256 prepared compositions are kept. A composition is prepared again if its modules or
    their values have changed. Sums of LoRAs act together, all other parts one by one. Any number
    of threads may use the cache at once.

    Args:
        encoder: The frozen encoder.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self._kept: OrderedDict[Composition, _Made] = OrderedDict()
        self._lock = threading.RLock()

    def activations(
        self,
        chosen: Sequence[Composition],
        modules: Mapping[str, nn.Module],
        cache: Kept | None = None,
        languages: Sequence[str | None] | None = None,
    ) -> RowActivations:
        """Return the activations of rows.

        Args:
            chosen: The composition of each row; ``None`` is the bare base.
            modules: The modules by name.
            cache: Cached states from which the forwards may start.
            languages: The language of each row, where it is known, which says how a module with a
                vocabulary of its own reads it.

        Returns:
            A callable from the positions of the rows of one forward to its activation.

        Raises:
            UserError: If a composition can't run, or another one is merged into the base.
        """
        inside = merged_in(self.encoder)
        if inside is not None:
            _require_merged(inside, chosen, modules)
            return RowActivations([None] * len(chosen), chosen, cache, inside)
        made: dict[Composition, ActiveAdapter] = {
            own: self.make(own, modules).adapter for own in dict.fromkeys(chosen) if own is not None
        }
        acts = [made.get(own) for own in chosen]
        return RowActivations(acts, chosen, cache, languages=languages)

    def make(self, composition: Composition, modules: Mapping[str, nn.Module]) -> _Made:
        """Prepare a composition, or return the cached one if nothing has changed.

        Raises:
            UserError: If the composition can't run on this encoder.
        """
        with self._lock:
            made = self._kept.pop(composition, None)
            if made is None or not _still(made, modules):
                made = self._new(composition, modules)
            self._kept[composition] = made
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return made

    def forget(self, module: nn.Module) -> None:
        """Remove all prepared compositions that contain a module."""
        with self._lock:
            for composition, made in list(self._kept.items()):
                if any(part is module for part in made.named.values()):
                    del self._kept[composition]

    def clear(self) -> None:
        """Remove all prepared compositions, such as after a change of device."""
        with self._lock:
            self._kept.clear()

    @contextmanager
    def merged(self, composition: Composition, modules: Mapping[str, nn.Module]) -> Iterator[None]:
        """Merge a sum of LoRAs into the encoder's weights inside the block.

        Raises:
            UserError: If the composition is no sum of LoRAs, or something is merged already.
        """
        whole = Composed.checked(composition, modules)
        updates = updates_of([(e, place(self.encoder, e)) for e in hooks_of(whole)])
        if updates is None:
            raise UserError(
                "only LoRAs, stacks and fixed mixtures of them can be added into a base's weights",
                where=show(composition),
            )
        with merged(self.encoder, updates, (composition, whole.named)):
            yield

    def _new(self, composition: Composition, modules: Mapping[str, nn.Module]) -> _Made:
        whole = Composed.checked(composition, modules)
        adapter = ActiveAdapter(self.encoder, whole, batched=True)
        return _Made(adapter, whole.named, () if adapter.updates is not None else _mark(whole))


def acts_alike(module: nn.Module) -> bool:
    """Whether a module acts by itself and alike on all rows, as on every base that it fits."""
    return not hasattr(module, "leads") and not any(hook.by_row for hook in hooks_of(module))


def _require_merged(
    inside: Merged, chosen: Sequence[Composition], modules: Mapping[str, nn.Module]
) -> None:
    """Check that all rows have the composition that is merged into the weights.

    Raises:
        UserError: If a row has another composition.
    """
    composition, named = inside.said
    same = all(modules.get(name) is module for name, module in named.items())
    for own in set(chosen):
        if own != composition or not same:
            raise UserError(
                f"{show(composition)} is merged into the base, and a row wants {show(own)}",
                todo="Leave the block of merged first",
            )


def _mark(whole: Composed) -> Mark:
    return tuple(
        (id(value), 0 if value.is_inference() else value._version, value.data_ptr())
        for value in whole.parts.parameters()
    )


def _still(made: _Made, modules: Mapping[str, nn.Module]) -> bool:
    """Whether the names still stand for the same modules, with the same values."""
    same = all(modules.get(name) is module for name, module in made.named.items())
    whole = made.adapter.module
    assert isinstance(whole, Composed)
    return same and (made.adapter.updates is not None or made.mark == _mark(whole))
