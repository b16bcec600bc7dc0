"""An encoder with modules and a composition of them: the object people use after training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encode import encode
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.composition.by_language import for_all, opened
from xadapt.composition.text import parse, show
from xadapt.composition.values import ARROW, ByLanguage, Composition, names
from xadapt.core.errors import UserError
from xadapt.core.sequences import as_paths, as_tags, as_texts
from xadapt.hub.integrity import allowing_modified
from xadapt.inference.composed_rows import ComposedRows, RowActivations
from xadapt.inference.fallback_language import FallbackLanguages, fallback_languages
from xadapt.inference.locate import locate
from xadapt.inference.open_module import open_module
from xadapt.inference.row_assignment import (
    as_compositions,
    bare,
    by_names,
    choose,
    with_one,
    without,
)
from xadapt.inference.shared_states import cache_within

NO_FALLBACKS = FallbackLanguages()


class AdaptedEncoder:
    """A frozen encoder, modules by name, and a composition that says which act on a row.

    What acts on a row is handed to each forward and never stored on the encoder. Any number of
    threads may encode at once, on this object and on others around the same encoder.

    Args:
        encoder: The frozen encoder.
        modules: Modules by name.
        composition: Over these names; without one each module is for the language it is named
            after, and rows of other languages are rows of the bare base.
        relatives: What stands in for a language that the composition has nothing for; a
            `FallbackLanguageWarning` warning says so.

    Raises:
        UserError: If the composition names a module that is not there.
    """

    def __init__(
        self,
        encoder: Encoder,
        modules: Mapping[str, nn.Module],
        composition: Composition = None,
        relatives: FallbackLanguages = NO_FALLBACKS,
    ) -> None:
        self.relatives = relatives
        self.encoder = encoder
        self.modules = {name: module.to(encoder.device) for name, module in modules.items()}
        self._rows = ComposedRows(encoder)
        self._follows = composition is None
        composition = by_names(self.modules) if composition is None else composition
        self.composition = self._known(composition)

    @classmethod
    def load(
        cls,
        base: str | Encoder,
        *folders: str | Path,
        compose: str | Composition = None,
        dtype: str = "auto",
        device: str = "auto",
        allow_modified: bool = False,
    ) -> AdaptedEncoder:
        """Load a base and published modules, each for the languages its manifest names.

        Without ``compose``, a language of no module goes through the module of a near one, of the
        same script and branch, if there is one; but never a language that modules are aligned to.

        Args:
            base: Hub id, folder or ``package:NAME/SUBDIR``, or a base that is loaded.
            folders: Folders of modules trained on this base; ``NAME=FOLDER`` gives one a name.
            compose: A composition over their names, or its text. A name that is none of them is
                itself a folder; ``lang:TAG`` is the one module for that language.
            dtype: Of the base's weights: ``auto``, ``float32``, ``bfloat16``, ``int8`` or ``nf4``.
            device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
            allow_modified: Load folders that are not what was published, with a notice.

        Raises:
            UserError: If a folder is no module, or not what was published, or belongs to another
                base, or it is not clear which module is for a language.
        """
        with allowing_modified(allow_modified):
            composition, places = locate([p for one in folders for p in as_paths(one)], compose)
            adapted = cls.open(base, composition, places, dtype=dtype, device=device)
        if compose is None:
            adapted.relatives = fallback_languages(composition, places.values())
            adapted._follows = composition is None or isinstance(composition, ByLanguage)
        return adapted

    @classmethod
    def open(
        cls,
        base: str | Encoder,
        composition: Composition,
        places: Mapping[str, str],
        *,
        dtype: str = "auto",
        device: str = "auto",
    ) -> AdaptedEncoder:
        """Load a base, if it is not there yet, and a composition's modules by name.

        Raises:
            UserError: If a folder is no module, or belongs to another base.
        """
        if isinstance(base, str):
            base = Encoder.from_pretrained(base, dtype=dtype, device=device)
        modules = {where: open_module(where, base)[0] for where in dict.fromkeys(places.values())}
        return cls(base, {name: modules[where] for name, where in places.items()}, composition)

    def with_(self, composition: str | Composition) -> AdaptedEncoder:
        """The same encoder and modules under another composition.

        Raises:
            UserError: If it is malformed, or names a module that is not there.
        """
        value = parse(composition) if isinstance(composition, str) else composition
        other = copy(self)
        other.relatives, other._follows, other.modules = NO_FALLBACKS, False, dict(self.modules)
        other.composition = other._known(value)
        return other

    def add(
        self, name: str, module: nn.Module | str | Path, *, allow_modified: bool = False
    ) -> None:
        """Load one more module; those that are there stay as they are.

        Where nothing but the modules says which languages they are for, this one is for those of
        its manifest, or for the language it is named after.

        Args:
            name: A name that no other has.
            module: A module, or the folder of one trained on this base.
            allow_modified: Load a folder that is not what was published, with a notice.

        Raises:
            UserError: If the name is taken, the folder is no module of this base or not what was
                published, or there is one for its language.
        """
        if name in self.modules or name in ("", ARROW):
            taken = f"there is a module named {name!r} already" if name in self.modules else ""
            raise UserError(
                taken or f"a module can't be named {name!r}", todo="Give it another name"
            )
        tags, relatives = [name], self.relatives
        if not isinstance(module, nn.Module):
            with allowing_modified(allow_modified):
                module, manifest = open_module(str(module), self.encoder)
            tags, relatives = manifest.languages, relatives.and_(manifest)
        composition = self.composition
        if self._follows:
            composition = with_one(composition, name, tags)
        self.modules[name] = module.to(self.encoder.device)  # there before another thread needs it
        self.composition = composition
        if self._follows:
            self.relatives = relatives

    def remove(self, name: str) -> None:
        """Let go of a module and its memory.

        Raises:
            UserError: If there is none of that name, or the composition names it.
        """
        if name not in self.modules:
            raise UserError(f"there is no module named {name!r}")
        if self._follows:
            self.composition, self.relatives = without(self.composition, self.relatives, name)
        elif name in names(self.composition):
            raise UserError(
                f"the composition names {name!r}",
                where=show(self.composition),
                todo="Use another composition (with_) to remove it from",
            )
        self._rows.forget(self.modules.pop(name))

    @contextmanager
    def merged(self, composition: str | Composition = None) -> Iterator[AdaptedEncoder]:
        """Add LoRAs into the base's weights for as long as the block lasts: rows cost the base's.

        Untouched weights are shared; afterwards the base is bitwise what it was. In the block
        only this composition runs, of this object and of what the block is given.

        Args:
            composition: A LoRA, or a stack or fixed mixture of LoRAs; without, that of this
                object.

        Yields:
            The same encoder and modules under this composition.

        Raises:
            UserError: If it is none of these, or something is merged already.
        """
        value = parse(composition) if isinstance(composition, str) else composition
        one = self.with_(for_all(self.composition if value is None else value))
        with self._rows.merged(one.composition, one.modules):
            yield one

    def encode(
        self,
        texts: str | Sequence[str],
        languages: str | Sequence[str | None] | None = None,
        *,
        compositions: Composition | Sequence[Composition] = None,
        batch_tokens: int = 4096,
        progress: Callable[[int], None] | None = None,
        cache: Kept | None = None,
    ) -> NDArray[np.float32]:
        """Vectors of texts, each through what the composition holds for its language.

        Args:
            texts: Any number of texts, or one.
            languages: A tag for each text, or one for all; ``None`` for a row means the bare base.
                It may be left out where the composition is the same for all.
            compositions: Another composition for each text, or one for all; ``None`` for a row
                means the base.
            batch_tokens: Padded tokens in one forward at most.
            progress: Told how many texts were encoded after each forward.
            cache: States below the first module, shared by calls that read the same texts; made by
                `xadapt.inference.shared_states.shared_cache`.

        Returns:
            ``(n, dim)``, fp32, the same as if each composition had been run apart; ``(dim,)`` for
            one text that is given as a string.

        Raises:
            UserError: If the lists differ in length, a text is none, languages are needed and not
                given, or a vector is not finite; the composition that made it is named.
        """
        given = as_texts([texts] if isinstance(texts, str) else texts)
        chosen = as_compositions(compositions, len(given))
        if cache is None:
            cache = cache_within(self, given, chosen)
        rows = self.acting(len(given), languages, chosen, cache)
        with rows.named():
            vectors = encode(
                self.encoder, given, batch_tokens=batch_tokens, rows=rows, progress=progress
            ).numpy()
        return vectors[0] if isinstance(texts, str) else vectors

    def acting(
        self,
        n: int,
        languages: str | Sequence[str | None] | None = None,
        compositions: Composition | Sequence[Composition] = None,
        cache: Kept | None = None,
    ) -> RowActivations:
        """What acts on each of ``n`` rows, for the functions of `xadapt.backbones.encoder.encode`.

        Args:
            n: Number of rows.
            languages: As for `encode`.
            compositions: As for `encode`.
            cache: As for `encode`.

        Returns:
            Given the positions of the rows of one forward, its activation.

        Raises:
            UserError: As for `encode`.
        """
        tags, own = as_tags(languages, n), as_compositions(compositions, n)
        chosen = choose(self.composition, self.relatives, n, tags, own)
        return self._rows.acting(chosen, self.modules, cache)

    def bare(self, languages: str | Sequence[str | None]) -> list[str]:
        """Those of the tags that some part of the composition has nothing for."""
        return bare(self.composition, [languages] if isinstance(languages, str) else languages)

    def notices(self, languages: str | Sequence[str | None]) -> list[str]:
        """What a person should know of languages no module is for, one line each."""
        return [self.relatives.notice(tag) for tag in self.bare(languages)]

    def prove(self) -> None:
        """Make ready what the composition can be for any row, once.

        Raises:
            UserError: If some of it can't run.
        """
        for composition in opened(self.composition):
            self._rows.make(composition, self.modules)

    def _known(self, composition: Composition) -> Composition:
        missing = [name for name in names(composition) if name not in self.modules]
        if missing:
            raise UserError(
                f"the composition names {missing[0]!r}, and there is no such module",
                todo=f"There are {', '.join(self.modules) or 'none'}",
            )
        return composition
