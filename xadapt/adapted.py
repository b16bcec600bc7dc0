"""An encoder with modules and a composition of them: the object people use after training."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
from numpy.typing import NDArray
from torch import nn

from xadapt.attach import Attachment, geometry, together
from xadapt.backbones import fingerprint
from xadapt.backbones.encode import Rows, encode
from xadapt.backbones.encoder import Encoder
from xadapt.compose.by_language import choices, for_language, lacks, opened
from xadapt.compose.composed import Composed
from xadapt.compose.text import parse
from xadapt.compose.values import ANY, ByLanguage, Composition, names
from xadapt.errors import UserError
from xadapt.hub.manifest import Manifest
from xadapt.hub.opening import open_folder
from xadapt.module_places import locate
from xadapt.relatives import Relatives, StandsIn, relatives_of
from xadapt.store import load_module

NOBODY = Relatives()


class Adapted:
    """A frozen encoder, modules by name, and a composition that says which act on a row.

    Between calls the encoder is bare: modules are on it only while they encode.

    Args:
        encoder: The frozen encoder.
        modules: Modules by name.
        composition: Over these names; without one each module is for the language it is named
            after, and rows of other languages are rows of the bare base.
        relatives: What stands in for a language that the composition has nothing for; a
            `StandsIn` warning says so.

    Raises:
        UserError: The composition names a module that is not there.
    """

    def __init__(
        self,
        encoder: Encoder,
        modules: Mapping[str, nn.Module],
        composition: Composition = None,
        relatives: Relatives = NOBODY,
    ) -> None:
        self.relatives = relatives
        self.encoder = encoder
        self.modules = {name: module.to(encoder.device) for name, module in modules.items()}
        if composition is None and modules:
            first = {id(module): name for name, module in reversed(list(modules.items()))}
            composition = ByLanguage({name: first[id(m)] for name, m in modules.items()})
        self.composition = composition
        missing = [name for name in names(composition) if name not in modules]
        if missing:
            raise UserError(
                f"the composition names {missing[0]!r}, and there is no such module",
                todo=f"There are {', '.join(modules) or 'none'}",
            )

    @classmethod
    def load(
        cls,
        base: str,
        *folders: str,
        compose: str | Composition = None,
        dtype: str = "auto",
        device: str = "auto",
    ) -> Adapted:
        """Load a base and published modules, each for the languages its manifest names.

        Without ``compose``, a language of no module goes through the module of a near one, of the
        same script and branch, if there is one; but never a language that modules are aligned to.

        Args:
            base: Hub id, folder or ``package:NAME/SUBDIR``.
            folders: Folders of modules trained on this base; ``NAME=FOLDER`` gives one a name.
            compose: A composition over their names, or its text. A name that is none of them is
                itself a folder; ``lang:TAG`` is the one module for that language.
            dtype: Of the base's weights: ``auto``, ``float32`` or ``bfloat16``.
            device: ``auto``, ``cpu``, ``cuda`` or ``mps``.

        Raises:
            UserError: A folder is no module, or belongs to another base, or it is not clear
                which module is for a language.
        """
        composition, places = locate(folders, compose)
        adapted = cls.open(base, composition, places, dtype=dtype, device=device)
        if compose is None:
            adapted.relatives = relatives_of(composition, places.values())
        return adapted

    @classmethod
    def open(
        cls,
        base: str,
        composition: Composition,
        places: Mapping[str, str],
        *,
        dtype: str = "auto",
        device: str = "auto",
    ) -> Adapted:
        """Load a base and the modules of a composition from their folders, by name.

        Raises:
            UserError: A folder is no module, or belongs to another base.
        """
        encoder = Encoder.from_pretrained(base, dtype=dtype, device=device)
        modules = {
            where: open_module(where, encoder)[0] for where in dict.fromkeys(places.values())
        }
        return cls(encoder, {name: modules[where] for name, where in places.items()}, composition)

    def with_(self, composition: str | Composition) -> Adapted:
        """The same encoder and modules under another composition.

        Raises:
            UserError: It is malformed, or names a module that is not there.
        """
        value = parse(composition) if isinstance(composition, str) else composition
        return Adapted(self.encoder, self.modules, value)

    def encode(
        self,
        texts: Sequence[str],
        languages: Sequence[str | None] | None = None,
        *,
        compositions: Sequence[Composition] | None = None,
        batch_tokens: int = 4096,
        progress: Callable[[int], None] | None = None,
    ) -> NDArray[np.float32]:
        """Vectors of texts, each through what the composition holds for its language.

        Args:
            texts: Any number of texts.
            languages: A tag for each text; ``None`` for a row means the bare base. It may be
                left out where the composition is the same for all.
            compositions: Another composition for each text; ``None`` for a row means the base.
            batch_tokens: Padded tokens in one forward at most.
            progress: Told how many texts were encoded after each forward.

        Returns:
            ``(n, dim)``, fp32, the same as if each composition had been run apart.

        Raises:
            UserError: The lists differ in length, or languages are needed and not given.
        """
        with self.acting(len(texts), languages, compositions) as rows:
            vectors = encode(
                self.encoder, texts, batch_tokens=batch_tokens, rows=rows, progress=progress
            )
        return vectors.numpy()

    @contextmanager
    def acting(
        self,
        n: int,
        languages: Sequence[str | None] | None = None,
        compositions: Sequence[Composition] | None = None,
    ) -> Iterator[Rows]:
        """Put what acts on each of ``n`` rows onto the encoder, for as long as the block lasts.

        Args:
            n: Number of rows.
            languages: As for `encode`.
            compositions: As for `encode`.

        Yields:
            Given the positions of the rows of one forward, a context to run it in.

        Raises:
            UserError: As for `encode`.
        """
        chosen = self._choose(n, languages, compositions)
        with ExitStack() as attached:
            made: dict[Composition, Attachment] = {
                composition: self._attach(composition, attached)
                for composition in dict.fromkeys(c for c in chosen if c is not None)
            }
            yield lambda chunk: together([made.get(chosen[position]) for position in chunk])

    def bare(self, languages: Sequence[str | None]) -> list[str]:
        """Those of the tags that some part of the composition has nothing for."""
        named = [tag for tag in dict.fromkeys(languages) if tag is not None]
        return [tag for tag in named if lacks(self.composition, tag)]

    def notices(self, languages: Sequence[str | None]) -> list[str]:
        """What a person should know of languages no module is for, one line each."""
        return [self.relatives.notice(tag) for tag in self.bare(languages)]

    def prove(self) -> None:
        """Attach what the composition can be for any row, once.

        Raises:
            UserError: Some of it can't run.
        """
        for composition in opened(self.composition):
            with ExitStack() as attached:
                self._attach(composition, attached)

    def _attach(self, composition: Composition, attached: ExitStack) -> Attachment:
        try:
            module = Composed(composition, self.modules)
        except ValueError as error:
            raise UserError(str(error), where="composition") from None
        attachment = Attachment(self.encoder, module)
        attached.callback(attachment.remove)
        return attachment

    def _choose(
        self,
        n: int,
        languages: Sequence[str | None] | None,
        compositions: Sequence[Composition] | None,
    ) -> list[Composition]:
        given = [self.composition] * n if compositions is None else list(compositions)
        for rows, what in ((given, "compositions"), (languages, "languages")):
            if rows is not None and len(rows) != n:
                raise UserError(f"{n} texts and {len(rows)} {what}: give one for each text")
        if languages is None:
            opened = {composition: _only(composition) for composition in set(given)}
            return [opened[composition] for composition in given]
        if compositions is None:
            near = {tag: self.relatives.of(tag) for tag in self.bare(languages)}
            for tag in near:
                warnings.warn(self.relatives.notice(tag), StandsIn, stacklevel=5)
            languages = [near.get(tag) or tag for tag in languages]  # type: ignore[arg-type]
        pairs = list(zip(given, languages, strict=True))
        found = {
            (composition, tag): None if tag is None else for_language(composition, tag)
            for composition, tag in set(pairs)
        }
        return [found[pair] for pair in pairs]


def _only(composition: Composition) -> Composition:
    """The composition if it is the same for all languages it names."""
    choice = choices(composition)
    if not choice:
        return composition
    tags = list(dict.fromkeys(tag for one in choice for tag, _ in one.parts))
    opened = {for_language(composition, tag) for tag in tags if tag != ANY}
    if ANY in tags or len(opened) != 1:
        known = ", ".join(tag for tag in sorted(tags) if tag != ANY)
        raise UserError(
            "several modules are loaded", todo=f"Give a language for each text ({known})"
        )
    return opened.pop()


def open_module(folder: str, encoder: Encoder) -> tuple[nn.Module, Manifest]:
    """Load a module's folder for an encoder.

    Raises:
        UserError: It is no module, or was trained on another base; what differs is said.
    """
    manifest, _ = open_folder(folder)
    print_ = fingerprint.Fingerprint.from_dict(dict(manifest.base.fingerprint))
    differs = fingerprint.compare(print_, encoder.identity)
    if differs:
        raise UserError(
            f"this module was trained on another base: {'; '.join(differs)}",
            where=str(folder),
            todo=f"Load it on {manifest.base.id or 'the base it was trained on'}",
        )
    return load_module(f"{folder}/module.safetensors", geometry(encoder)), manifest
