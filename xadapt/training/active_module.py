"""The active module of a run: one module for all rows, or one module for each language."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor, nn

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encode import Rows
from xadapt.backbones.mapped_tokenizer import MappedTokenizer
from xadapt.backbones.protocol import Attachable
from xadapt.composition.composed import Chosen
from xadapt.core.errors import UserError
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.modules.hooks import BELOW, AdapterHook, hooks_of
from xadapt.modules.vocabulary import Vocabulary

Langs = Sequence[str] | None


class ActiveModule:
    """A module or a composition made ready for the forwards of a run.

    Args:
        encoder: The frozen encoder.
        module: The module, or the composition in which the module is trained.

    Raises:
        UserError: If the module doesn't fit the encoder.
    """

    def __init__(self, encoder: Attachable, module: nn.Module) -> None:
        self.module = module.to(encoder.device)
        self.by_language = isinstance(module, Chosen)
        wholes = module.can_be.values() if isinstance(module, Chosen) else (self.module,)
        self._ready = {id(whole): ActiveAdapter(encoder, whole) for whole in wholes}

    def activation(self, langs: Langs = None, cache: Kept | None = None) -> Activation:
        """Return the activation of one forward.

        Args:
            langs: The language of each row of the batch, where the composition chooses by language.
            cache: Cached states from which the forward may start.

        Raises:
            UserError: If languages are needed and not given.
        """
        if not isinstance(self.module, Chosen):
            [adapter] = self._ready.values()
            return Activation.of(adapter, cache=cache)
        langs = self.needed(langs) or ()
        chosen = {tag: self.module.of(tag) for tag in set(langs)}
        acts = {tag: self._ready.get(id(whole)) for tag, whole in chosen.items()}
        return Activation.by_row([acts[tag] for tag in langs], cache=cache)

    def needed(self, langs: Langs) -> Langs:
        """Return the languages of rows, if the composition chooses by language, else ``None``.

        Raises:
            UserError: If the composition chooses by language and no languages are given.
        """
        if self.by_language and langs is None:
            raise UserError(
                "an objective of this recipe does not tell the languages of its rows",
                where="--compose",
                todo="Train inside one composition, not by language",
            )
        return langs if self.by_language else None

    def rows(self, langs: Sequence[str], cache: Kept | None = None) -> Rows:
        """Return a function from positions in a list of rows to the activation of their forward.

        Args:
            langs: The language of each row of the list.
            cache: As for `activation`.
        """
        return _RowsOf(self, langs, cache)

    def vocabulary(self, tag: str | None = None) -> MappedTokenizer | None:
        """Return the tokenizer of rows, if the module has a vocabulary of its own.

        Args:
            tag: The language of the rows, if it is known.
        """
        if not isinstance(self.module, Chosen):
            [own] = self._ready.values()
        else:
            found = None if tag is None else self._ready.get(id(self.module.of(tag)))
            if found is None:
                return None
            own = found
        return None if own.vocabulary is None else own.vocabulary.for_language(tag)

    @property
    def has_vocabulary(self) -> bool:
        """Whether some rows are read by a vocabulary of their own."""
        return any(adapter.vocabulary is not None for adapter in self._ready.values())

    @property
    def own_rows(self) -> Callable[[], Tensor] | None:
        """The function that gives the rows of the module's vocabulary; ``None`` without one."""
        parts = [part for own in self._ready.values() for part in own.module.modules()]
        found = [part.own.wide for part in parts if isinstance(part, Vocabulary)]
        return found[0] if found else None

    @property
    def hooks(self) -> list[AdapterHook]:
        """The hooks of the module; of a choice by language those that every choice has."""
        found = [hooks_of(own.module) for own in self._ready.values()]
        return [hook for hook in found[0] if all(hook in other for other in found[1:])]

    @property
    def first_layer(self) -> int:
        """The lowest active layer, -1 for the embeddings."""
        return min(adapter.first_layer for adapter in self._ready.values())

    def reaches(self, layer: int | None) -> bool:
        """Whether the module changes the states of a view.

        Args:
            layer: The view's layer, as in `xadapt.objectives.contract.View`.
        """
        if layer is None or not any(hooks_of(own.module) for own in self._ready.values()):
            return True  # without a module, heads alone are trained
        if layer == BELOW:
            return any(own.table for own in self._ready.values())
        return self.first_layer < layer

    @cached_property
    def by_token(self) -> bool:
        """Whether all hooks in the layers read each token by itself, alike in all rows."""
        hooks = [e for own in self._ready.values() for e in hooks_of(own.module)]
        return not self.by_language and all(
            e.reads != "here" and not e.by_row for e in hooks if e.layer != BELOW
        )

    @property
    def before_vocabulary(self) -> Callable[[Tensor], Tensor] | None:
        """The map applied to states before the vocabulary, ``None`` without one.

        Raises:
            UserError: If the map differs from language to language.
        """
        undo = [adapter.before_vocabulary for adapter in self._ready.values()]
        if len(undo) > 1 and any(undo):
            raise UserError(
                "tokens can't be predicted through the invertible maps of several languages",
                where="--compose",
                todo="Train inside one composition, not by language",
            )
        return undo[0]


@dataclass(frozen=True)
class _RowsOf:
    """The activations of forwards on rows whose languages are known."""

    active: ActiveModule
    langs: Sequence[str]
    cache: Kept | None

    def __call__(self, chunk: list[int]) -> Activation:
        return self.active.activation([self.langs[position] for position in chunk], self.cache)

    def alike(self) -> list[str | None]:
        known = self.active.needed(self.langs)
        return [None] * len(self.langs) if known is None else list(known)

    def vocabularies(self) -> list[MappedTokenizer | None]:
        return [self.active.vocabulary(tag) for tag in self.langs]
