"""Training a module inside a composition: on top of a frozen language module, for instance."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from xadapt.backbones.frozen_model import FrozenModel
from xadapt.composition.by_language import choices
from xadapt.composition.composed import Chosen, Composed
from xadapt.composition.text import parse, show
from xadapt.composition.values import Composition, RoutedParts, all_parts, names, replaced
from xadapt.core.errors import UserError
from xadapt.hub.opening import tensor_path
from xadapt.inference.locate import locate
from xadapt.inference.open_module import open_module

SELF = "self"


@dataclass(frozen=True)
class TrainingComposition:
    """Compositions in which a module is trained; they take turns from step to step.

    Attributes:
        compositions: Compositions of folders and ``self``, the module under training.
    """

    compositions: tuple[Composition, ...] = ()

    @property
    def folders(self) -> list[str]:
        """The folders of the other modules."""
        every = [name for composition in self.compositions for name in names(composition)]
        return [name for name in dict.fromkeys(every) if name != SELF]

    @property
    def texts(self) -> list[str]:
        """The compositions as text, with folders cut to their names."""
        short: dict[str, Composition] = {folder: Path(folder).name for folder in self.folders}
        return [show(replaced(composition, short)) for composition in self.compositions]

    def identity(self) -> dict[str, str]:
        """Compute a hash of compositions and modules; a resumed run requires the same hash."""
        state = hashlib.sha256(repr(self.texts).encode())
        for folder in self.folders:
            state.update(tensor_path(folder).read_bytes())
        return {"composition": state.hexdigest()} if self.compositions else {}

    @property
    def by_language(self) -> bool:
        """Whether some composition chooses by language."""
        return any(map(choices, self.compositions))

    def require_experts(self, module: nn.Module) -> None:
        """Refuse a router or fusion that has no experts.

        Raises:
            UserError: If the module acts through other modules, and no composition gives it any.
        """
        word = getattr(module, "leads", None)
        routed = [part for value in self.compositions for part in all_parts(value)]
        if word and not any(
            isinstance(part, RoutedParts) and part.router == SELF for part in routed
        ):
            raise UserError(
                f"a module of kind {module.kind} acts through others, and none is given",
                where="--compose",
                todo=f'Name them: --compose "{word}({SELF}; runs/a, runs/b)"',
            )

    def build(self, base: FrozenModel, module: nn.Module) -> list[Composed | Chosen]:
        """Build the compositions around a module; the other modules get no gradient.

        Raises:
            UserError: If a folder belongs to another base, or a part can't be mixed.
        """
        others = {
            folder: open_module(folder, base)[0].requires_grad_(False) for folder in self.folders
        }
        try:
            return [
                (Chosen if choices(value) else Composed)(value, {**others, SELF: module})
                for value in self.compositions
            ]
        except ValueError as error:
            raise UserError(str(error), where="--compose") from None


def inside(expressions: Sequence[str]) -> TrainingComposition:
    """Read the compositions of a run, before any base is loaded.

    Raises:
        UserError: If a composition is malformed, lacks ``self``, or names a folder that is no
            module.
    """
    values = []
    for text in expressions:
        if SELF not in names(parse(text)):
            raise UserError(
                f"{text!r} does not name the module under training",
                where="--compose",
                todo=f'Call it {SELF}: --compose "runs/language + {SELF}"',
            )
        value, _ = locate((), text, given=(SELF,))
        values.append(value)
    return TrainingComposition(tuple(values))
