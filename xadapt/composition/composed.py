"""A composition as a module, with the hooks of its parts in order, weighted or routed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import TypeVar

from torch import Tensor, nn

from xadapt.composition.by_language import for_language, opened
from xadapt.composition.values import (
    Composition,
    Fuse,
    Mix,
    Route,
    RoutedParts,
    Stack,
    is_arrow,
    names,
)
from xadapt.core.errors import UserError
from xadapt.modules.arrow import Arrow, options_in
from xadapt.modules.ensemble import Ensemble
from xadapt.modules.fusion import Fusion
from xadapt.modules.hooks import AdapterHook, hooks_of
from xadapt.modules.mixing import Gates, blended, fused, routed
from xadapt.modules.router import Router

Routing = TypeVar("Routing", Router, Ensemble, Fusion, Router | Ensemble)


class Composed(nn.Module):
    """A composition for one row as one module, which is attached like any other module.

    The parts of a stack add to a site one after the other. So later parts read the output of
    earlier parts. All parts of a mixture read the same states, and the output of each part is
    weighted. So two stacked LoRAs are their sum and never a product.

    Args:
        composition: Any composition without `ByLanguage`; use `for_language` to resolve that.
        modules: The modules by name; several names may stand for one module.

    Attributes:
        routed_parts: The routed parts of each router and fusion.
        vocabulary: The tokenizer of the part with a vocabulary of its own, if there is one.

    Raises:
        ValueError: If a name is missing, a part can't be mixed, or two parts read new tokens.
    """

    def __init__(self, composition: Composition, modules: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.composition = composition
        missing = [name for name in names(composition) if name not in modules]
        if missing:
            raise ValueError(f"there is no module {missing[0]!r}; there are {', '.join(modules)}")
        self.named = {name: modules[name] for name in names(composition)}
        self.parts = nn.ModuleList(dict.fromkeys(self.named.values()))
        self.routed_parts: dict[nn.Module, RoutedParts] = {}
        self._hooks = self._of(composition)
        self.before_vocabulary = self._undo(composition)
        own = [v for part in self.parts if (v := getattr(part, "vocabulary", None)) is not None]
        if own and sum(hook.reads == "ids" for hook in self._hooks) > 1:
            raise ValueError("two parts have tokens of their own, and a row has one tokenizer")
        self.vocabulary = own[0] if own else None

    @classmethod
    def checked(cls, composition: Composition, modules: Mapping[str, nn.Module]) -> Composed:
        """Build a `Composed` from a user's composition, with faults as `UserError`.

        Raises:
            UserError: If a name is missing, or a part can't be mixed.
        """
        try:
            return cls(composition, modules)
        except ValueError as error:
            raise UserError(str(error), where="composition") from None

    def hooks(self) -> list[AdapterHook]:
        """Return the hooks of all parts; where parts are mixed, one hook for each site."""
        return self._hooks

    def _undo(self, composition: Composition) -> Callable[[Tensor], Tensor] | None:
        """Compose the inverses of a stack's invertible adapters, the last one first."""
        if isinstance(composition, str):
            return getattr(self.named[composition], "before_vocabulary", None)
        parts = composition.parts if isinstance(composition, Stack) else ()
        inverses = [undo for part in reversed(parts) if (undo := self._undo(part))]
        if not inverses:
            return None
        return lambda states: reduce(lambda now, undo: undo(now), inverses, states)

    def _router(self, route: Route) -> Gates:
        if is_arrow(route):
            parts = [self.named[p] if isinstance(p, str) else None for p in route.parts]
            return Arrow(parts, options_in(route.router))
        router = self.named[route.router]
        if not isinstance(router, (Router, Ensemble)):
            raise ValueError(f"{route.router!r} is no router")
        return _fitting(router, route)

    def _fusion(self, fuse: Fuse) -> Fusion:
        fusion = self.named[fuse.router]
        if not isinstance(fusion, Fusion):
            raise ValueError(f"{fuse.router!r} is no fusion")
        return _fitting(fusion, fuse)

    def _hooks_named(self, name: str) -> list[AdapterHook]:
        module = self.named[name]
        word = getattr(module, "leads", None)
        if word:
            raise ValueError(
                f"{name!r} is a {module.kind}, which acts through other modules alone; write "
                f"{word}({name}; a, b)"
            )
        return hooks_of(module)

    def _of(self, composition: Composition) -> list[AdapterHook]:
        if composition is None:
            return []
        if isinstance(composition, str):
            return self._hooks_named(composition)
        if isinstance(composition, Stack):
            return [hook for part in composition.parts for hook in self._of(part)]
        if isinstance(composition, Mix):
            parts = [self._of(part) for part, _ in composition.parts]
            return blended(parts, [weight for _, weight in composition.parts])
        if isinstance(composition, Route):
            router = self._router(composition)
            self.routed_parts[router] = composition
            return routed([self._of(part) for part in composition.parts], router)
        if isinstance(composition, Fuse):
            fusion = self._fusion(composition)
            self.routed_parts[fusion] = composition
            return fused([self._of(part) for part in composition.parts], fusion)
        raise ValueError(f"{composition!r} can't act on a row as it is")


def _fitting(router: Routing, route: RoutedParts) -> Routing:
    if router.experts != len(route.parts):
        raise ValueError(
            f"{route.router!r} was made for {router.experts} modules, not {len(route.parts)}; a "
            "new one gets module.experts"
        )
    return router


class Chosen(nn.Module):
    """A composition that depends on the language, with one `Composed` for each resolved form.

    Args:
        composition: A composition that contains `ByLanguage`.
        modules: The modules by name, shared by all resolved forms.

    Raises:
        ValueError: As for `Composed`.
    """

    def __init__(self, composition: Composition, modules: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.composition = composition
        self.can_be = {
            part: Composed(part, modules) for part in opened(composition) if part is not None
        }
        self.parts = nn.ModuleList(self.can_be.values())

    def of(self, tag: str) -> Composed | None:
        """Return the module for rows of a language; ``None`` for the bare base."""
        part = for_language(self.composition, tag)
        return None if part is None else self.can_be[part]
