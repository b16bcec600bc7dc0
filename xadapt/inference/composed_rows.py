"""Compositions on the rows of batches: made once, kept for the next call, off in between."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from torch import nn

from xadapt.backbones.encoder.encode import Rows
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.families import SitePoint
from xadapt.composition.composed import Composed
from xadapt.composition.text import show
from xadapt.composition.values import Composition
from xadapt.core.errors import UserError
from xadapt.injection.attachment import Attachment, place, projects_positions, together
from xadapt.injection.batched_lora import Sums, Updates
from xadapt.injection.merging import merged, merged_in
from xadapt.modules.effects import Place
from xadapt.modules.sums import terms_of

KEPT = 256
Mark = tuple[tuple[int, int, int], ...]


@dataclass
class _Made:
    """A composition made ready.

    Attributes:
        whole: It as a module.
        mark: Which values its parts had then; empty where they are read at every forward.
        updates: Where it is a sum of LoRAs alone, its updates and their linears.
        attachment: Of one that is not, what puts it onto the encoder.
    """

    whole: Composed
    mark: Mark
    updates: Updates | None
    attachment: Attachment | None = None


class ComposedRows:
    """What puts compositions onto the rows of an encoder's batches.

    The latest 256 compositions are kept as they were made; one whose modules are others now, or
    have other values, is made anew. Sums of LoRAs act together (`Sums`), all else one by one.

    Args:
        encoder: The frozen encoder. It has no hooks but inside `acting`.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self._kept: OrderedDict[Composition, _Made] = OrderedDict()
        self._sites: dict[Place, SitePoint] = {}

    @contextmanager
    def acting(
        self, chosen: Sequence[Composition], modules: Mapping[str, nn.Module]
    ) -> Iterator[Rows]:
        """Put compositions onto the encoder for as long as the block lasts.

        Args:
            chosen: What acts on each row; ``None`` is the bare base.
            modules: The modules by name.

        Yields:
            Given the positions of the rows of one forward, a context to run it in.

        Raises:
            UserError: One can't run, or something else is merged into the base.
        """
        chosen = self._beside_merged(chosen, modules)
        made = {own: self.make(own, modules) for own in dict.fromkeys(chosen) if own is not None}
        with ExitStack() as stack:
            apart: dict[Composition, Attachment] = {
                own: self._attached(one, stack) for own, one in made.items() if one.updates is None
            }
            sums = {own: one.updates for own, one in made.items() if one.updates is not None}
            numbers: dict[Composition, int] = {own: n for n, own in enumerate(sums)}
            depth = self.encoder.depth
            layers = [min((at[0] for at in one), default=depth) for one in sums.values()]
            beside = Sums(list(sums.values()))
            stack.callback(beside.remove)

            @contextmanager
            def rows(chunk: list[int]) -> Iterator[None]:
                own = [chosen[position] for position in chunk]
                acts = [numbers.get(c) for c in own]
                low = min((layers[act] for act in set(acts) if act is not None), default=depth)
                with (
                    together([apart.get(c) for c in own]),
                    beside.on(acts),
                    self.encoder.reuse.touching(low),
                ):
                    yield

            yield rows

    def make(self, composition: Composition, modules: Mapping[str, nn.Module]) -> _Made:
        """A composition made ready, the kept one if it still is what it would be.

        Raises:
            UserError: It can't run on this encoder.
        """
        made = self._kept.pop(composition, None)
        if made is None or not _still(made, modules):
            made = self._new(composition, modules)
        self._kept[composition] = made
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return made

    def forget(self, module: nn.Module) -> None:
        """Let go of all that was made of a module."""
        for composition, made in list(self._kept.items()):
            if any(part is module for part in made.whole.named.values()):
                del self._kept[composition]

    @contextmanager
    def merged(self, composition: Composition, modules: Mapping[str, nn.Module]) -> Iterator[None]:
        """Add a sum of LoRAs into the encoder's weights for as long as the block lasts.

        Raises:
            UserError: It is something else, or something is merged already.
        """
        made = self._new(composition, modules, sums=True)
        if made.updates is None:
            raise UserError(
                "only LoRAs, stacks and fixed mixtures of them can be added into a base's weights",
                where=show(composition),
            )
        with merged(self.encoder, made.updates, (composition, made.whole.named)):
            yield

    def _new(
        self, composition: Composition, modules: Mapping[str, nn.Module], sums: bool = False
    ) -> _Made:
        whole = Composed.checked(composition, modules)
        # What is added to positions that all rows share is no business of single rows.
        together = sums or not projects_positions(self.encoder)
        terms = terms_of(whole.effects()) if together else None
        if terms is None:
            with_hooks = Attachment(self.encoder, whole)
            with_hooks.remove()
            return _Made(whole, _mark(whole), None, with_hooks)
        for effect in whole.effects():
            if effect.place not in self._sites:
                site = place(self.encoder, effect)
                assert site is not None  # a low-rank update is one of a linear
                self._sites[effect.place] = site
        return _Made(whole, (), {at: (self._sites[at], own) for at, own in terms.items()})

    def _attached(self, made: _Made, stack: ExitStack) -> Attachment:
        attachment = made.attachment
        assert attachment is not None
        if attachment.attached:  # by a block around this one
            attachment = Attachment(self.encoder, made.whole)
        else:
            attachment.attach()
        stack.callback(attachment.remove)
        return attachment

    def _beside_merged(
        self, chosen: Sequence[Composition], modules: Mapping[str, nn.Module]
    ) -> Sequence[Composition]:
        """What is left to do where a composition is in the weights: nothing for its rows."""
        said = merged_in(self.encoder)
        if said is None:
            return chosen
        composition, named = said
        same = all(modules.get(name) is module for name, module in named.items())
        for own in set(chosen):
            if own != composition or not same:
                raise UserError(
                    f"{show(composition)} is merged into the base, and a row wants {show(own)}",
                    todo="Leave the block of merged first",
                )
        return [None] * len(chosen)


def _mark(whole: Composed) -> Mark:
    return tuple(
        (id(value), 0 if value.is_inference() else value._version, value.data_ptr())
        for value in whole.parts.parameters()
    )


def _still(made: _Made, modules: Mapping[str, nn.Module]) -> bool:
    """Whether the names stand for the same modules as then, with the same values."""
    named = made.whole.named
    same = all(modules.get(name) is module for name, module in named.items())
    return same and (made.updates is not None or made.mark == _mark(made.whole))
