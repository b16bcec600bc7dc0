"""An encoder with modules and a composition of them: the object for use after training."""

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
from xadapt.inference.concurrency import compute_slot
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
    """A frozen encoder, modules by name, and a composition that selects the modules of a row.

    The activation is passed to each forward and never stored on the encoder. Any number of
    threads may encode at once, on this object and on others around the same encoder.

    Args:
        encoder: The frozen encoder.
        modules: Modules by name.
        composition: Composition of these names. Without a composition, each module is for the
            language of its name, and the bare base encodes rows of other languages.
        relatives: Fallback languages for a language that the composition has no module for. A
            fallback is reported by a `FallbackLanguageWarning`.

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

        Without ``compose``, a language without a module is encoded by the module of a fallback
        language, of the same script and branch, if there is one. A language that modules are
        aligned to never has a fallback language.

        Args:
            base: Hub id, folder or ``package:NAME/SUBDIR``, or a loaded base.
            folders: Folders of modules trained on this base; ``NAME=FOLDER`` gives one a name.
            compose: A composition of the modules' names, or its text. A name that no module has is
                read as a folder; ``lang:TAG`` is the one module for that language.
            dtype: Type of the base's weights: ``auto``, ``float32``, ``bfloat16``, ``int8`` or
                ``nf4``.
            device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
            allow_modified: Load folders that were modified after publication, with a notice.

        Raises:
            UserError: If a folder is no module, was modified after publication, or belongs to
                another base, or if it is not clear which module is for a language.
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
        """Load a base, unless it is loaded already, and the modules of a composition by name.

        Raises:
            UserError: If a folder is no module, or belongs to another base.
        """
        if isinstance(base, str):
            base = Encoder.from_pretrained(base, dtype=dtype, device=device)
        modules = {where: open_module(where, base)[0] for where in dict.fromkeys(places.values())}
        return cls(base, {name: modules[where] for name, where in places.items()}, composition)

    def with_(self, composition: str | Composition) -> AdaptedEncoder:
        """Return the same encoder and modules under another composition.

        Raises:
            UserError: If the composition is malformed, or names a module that is not there.
        """
        value = parse(composition) if isinstance(composition, str) else composition
        other = copy(self)
        other.relatives, other._follows, other.modules = NO_FALLBACKS, False, dict(self.modules)
        other.composition = other._known(value)
        return other

    def add(
        self, name: str, module: nn.Module | str | Path, *, allow_modified: bool = False
    ) -> None:
        """Load one more module; the other modules do not change.

        Where only the modules determine their languages, the new module is for the languages of
        its manifest, or for the language of its name.

        Args:
            name: A name that no other module has.
            module: A module, or the folder of one trained on this base.
            allow_modified: Load a folder that was modified after publication, with a notice.

        Raises:
            UserError: If the name is taken, the folder is no module of this base or was modified
                after publication, or there is already a module for its language.
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
        self.modules[name] = module.to(self.encoder.device)  # made before another thread needs it
        self.composition = composition
        if self._follows:
            self.relatives = relatives

    def remove(self, name: str) -> None:
        """Remove a module and free its memory.

        Raises:
            UserError: If no module has that name, or the composition names the module.
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
        """Merge LoRAs into the base's weights inside the block; a row then costs as in the base.

        Unchanged weights are shared. After the block the base is bitwise equal to the base
        before. Inside the block only this composition runs, on this object and on the yielded one.

        Args:
            composition: A LoRA, or a stack or fixed mixture of LoRAs. Without it, the composition
                of this object.

        Yields:
            The same encoder and modules under this composition.

        Raises:
            UserError: If the composition is none of these, or something is merged already.
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
        batch_size: int | None = None,
        batch_tokens: int = 4096,
        progress: Callable[[int], None] | None = None,
        cache: Kept | None = None,
    ) -> NDArray[np.float32]:
        """Encode texts into vectors, each by the part of the composition for its language.

        Args:
            texts: Any number of texts, or one.
            languages: A tag for each text, or one for all; ``None`` for a row means the bare base.
                ``languages`` may be left out where the composition is the same for all.
            compositions: Another composition for each text, or one for all; ``None`` for a row
                means the base.
            batch_size: Number of texts in one forward. By default, ``batch_tokens`` decides.
            batch_tokens: Largest number of padded tokens in one forward.
            progress: Called after each forward with the number of texts encoded.
            cache: States below the first module, shared by calls that read the same texts; made by
                `xadapt.inference.shared_states.shared_cache`.

        Returns:
            ``(n, dim)``, fp32, the same as if each composition had run apart; ``(dim,)`` for one
            text that is given as a string.

        Raises:
            UserError: If the lists differ in length, a text is none, languages are needed and not
                given, or a vector is not finite. The error names the composition of that vector.
        """
        given = as_texts([texts] if isinstance(texts, str) else texts)
        with compute_slot():
            chosen = as_compositions(compositions, len(given))
            if cache is None:
                cache = cache_within(self, given, chosen)
            rows = self.acting(len(given), languages, chosen, cache)
            with rows.named():
                vectors = encode(
                    self.encoder,
                    given,
                    batch_tokens=batch_tokens,
                    batch_size=batch_size,
                    rows=rows,
                    progress=progress,
                ).numpy()
        return vectors[0] if isinstance(texts, str) else vectors

    def acting(
        self,
        n: int,
        languages: str | Sequence[str | None] | None = None,
        compositions: Composition | Sequence[Composition] = None,
        cache: Kept | None = None,
    ) -> RowActivations:
        """Return the activations of ``n`` rows, for functions of `xadapt.backbones.encoder.encode`.

        Args:
            n: Number of rows.
            languages: As for `encode`.
            compositions: As for `encode`.
            cache: As for `encode`.

        Returns:
            A callable from the positions of the rows of one forward to its activation.

        Raises:
            UserError: As for `encode`.
        """
        tags, own = as_tags(languages, n), as_compositions(compositions, n)
        chosen = choose(self.composition, self.relatives, n, tags, own)
        return self._rows.acting(chosen, self.modules, cache)

    def bare(self, languages: str | Sequence[str | None]) -> list[str]:
        """Return the languages for which some part of the composition has no module."""
        return bare(self.composition, [languages] if isinstance(languages, str) else languages)

    def notices(self, languages: str | Sequence[str | None]) -> list[str]:
        """Return one line for each language without a module, for people to read."""
        return [self.relatives.notice(tag) for tag in self.bare(languages)]

    def prove(self) -> None:
        """Prepare every composition that a row can have, once.

        Raises:
            UserError: If one of these compositions can't run.
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
