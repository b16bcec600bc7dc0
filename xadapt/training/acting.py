"""What acts on the rows of a run: one module on all of them, or another for each language."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import cached_property

from torch import Tensor, nn

from xadapt.backbones.encoder.encode import Rows
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.composition.composed import Chosen
from xadapt.core.errors import UserError
from xadapt.injection.attachment import Attachment, together
from xadapt.modules.effects import BELOW, effects_of

Langs = Sequence[str] | None


class Acting:
    """A module or a composition on the encoder for the length of a run; off between forwards.

    Args:
        encoder: The frozen encoder.
        module: The module, or what it is trained inside.

    Raises:
        UserError: It doesn't fit the encoder.
    """

    def __init__(self, encoder: Encoder, module: nn.Module) -> None:
        self.module = module.to(encoder.device)
        self.by_language = isinstance(module, Chosen)
        wholes = module.can_be.values() if isinstance(module, Chosen) else (self.module,)
        self._attached = {id(whole): Attachment(encoder, whole) for whole in wholes}

    def on(self, langs: Langs = None) -> AbstractContextManager[None]:
        """Let it act inside the block.

        Args:
            langs: The language of each row of the batch, where it chooses by language.

        Raises:
            UserError: They are needed, and the objective does not tell them.
        """
        if not isinstance(self.module, Chosen):
            [attachment] = self._attached.values()
            return attachment.on()
        langs = self.needed(langs) or ()
        chosen = {tag: self.module.of(tag) for tag in set(langs)}
        acts = {tag: self._attached.get(id(whole)) for tag, whole in chosen.items()}
        return together([acts[tag] for tag in langs])

    def needed(self, langs: Langs) -> Langs:
        """The languages of rows, if it chooses by them.

        Raises:
            UserError: It does, and there are none.
        """
        if self.by_language and langs is None:
            raise UserError(
                "an objective of this recipe does not tell the languages of its rows",
                where="--compose",
                todo="Train inside one composition, not by language",
            )
        return langs if self.by_language else None

    def rows(self, langs: Sequence[str]) -> Rows:
        """For encoding: given positions in a list of rows, a context to run them in."""
        return lambda chunk: self.on([langs[position] for position in chunk])

    @property
    def first_layer(self) -> int:
        """The lowest layer something acts in, -1 for the embeddings."""
        return min(attachment.first_layer for attachment in self._attached.values())

    @cached_property
    def by_token(self) -> bool:
        """Whether what acts in the layers looks at each token by itself, alike in all rows."""
        effects = [e for own in self._attached.values() for e in effects_of(own.module)]
        return not self.by_language and all(
            e.reads != "here" and not e.by_row for e in effects if e.layer != BELOW
        )

    @property
    def before_vocabulary(self) -> Callable[[Tensor], Tensor] | None:
        """What states go through before the vocabulary, if anything.

        Raises:
            UserError: That differs from language to language.
        """
        undo = [attachment.before_vocabulary for attachment in self._attached.values()]
        if len(undo) > 1 and any(undo):
            raise UserError(
                "tokens can't be predicted through the invertible maps of several languages",
                where="--compose",
                todo="Train inside one composition, not by language",
            )
        return undo[0]

    def remove(self) -> None:
        """Take it off the encoder for good."""
        for attachment in self._attached.values():
            attachment.remove()
