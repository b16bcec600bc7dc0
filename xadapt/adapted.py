"""An encoder with modules by language: the object people use after training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
from numpy.typing import NDArray
from torch import nn

from xadapt.attach import Attachment, geometry
from xadapt.backbones import fingerprint
from xadapt.backbones.encode import encode
from xadapt.backbones.encoder import Encoder
from xadapt.errors import UserError
from xadapt.hub.manifest import Manifest
from xadapt.hub.opening import open_folder
from xadapt.language_match import find_same
from xadapt.store import load_module


class Adapted:
    """A frozen encoder and any number of modules, each for one or more languages.

    Rows of languages without a module are rows of the bare base.

    Args:
        encoder: The frozen encoder.
        modules: Modules by language tag; one module may stand under several tags.
    """

    def __init__(self, encoder: Encoder, modules: Mapping[str, nn.Module]) -> None:
        self.encoder = encoder
        distinct = {id(module): module for module in modules.values()}
        attached = {
            key: Attachment(encoder, module.to(encoder.device)) for key, module in distinct.items()
        }
        self.attachments = {tag: attached[id(module)] for tag, module in modules.items()}

    @classmethod
    def load(cls, base: str, *folders: str, dtype: str = "auto", device: str = "auto") -> Adapted:
        """Load a base and published modules, each for the languages its manifest names.

        Args:
            base: Hub id, folder or ``package:NAME/SUBDIR``.
            folders: Folders of modules trained on this base.
            dtype: Of the base's weights: ``auto``, ``float32`` or ``bfloat16``.
            device: ``auto``, ``cpu``, ``cuda`` or ``mps``.

        Raises:
            UserError: A folder is no module, or belongs to another base, or two modules are
                for the same language.
        """
        owners: dict[str, str] = {}
        for folder in folders:  # before the base, which takes longer
            for tag in open_folder(folder)[0].languages:
                if tag in owners:
                    raise UserError(
                        f"two modules are for language {tag!r}, this one and {owners[tag]}",
                        where=folder,
                        todo="Load one of them",
                    )
                owners[tag] = folder
        encoder = Encoder.from_pretrained(base, dtype=dtype, device=device)
        opened = {folder: open_module(folder, encoder)[0] for folder in folders}
        return cls(encoder, {tag: opened[folder] for tag, folder in owners.items()})

    def encode(
        self,
        texts: Sequence[str],
        languages: Sequence[str | None] | None = None,
        *,
        batch_tokens: int = 4096,
        progress: Callable[[int], None] | None = None,
    ) -> NDArray[np.float32]:
        """Vectors of texts, each through the module of its language.

        Args:
            texts: Any number of texts.
            languages: A tag for each text; ``None`` for a row means the bare base. Without
                the list, the one module there is acts on every row.
            batch_tokens: Padded tokens in one forward at most.
            progress: Told how many texts were encoded after each forward.

        Returns:
            ``(n, dim)``, fp32, the same as if each language had been encoded apart.

        Raises:
            UserError: The lists differ in length, or languages are needed and not given.
        """
        chosen = self._choose(len(texts), languages)

        @contextmanager
        def rows(chunk: list[int]) -> Iterator[None]:
            groups: dict[int, tuple[Attachment, list[int]]] = {}
            for at, position in enumerate(chunk):
                attachment = chosen[position]
                if attachment is not None:
                    groups.setdefault(id(attachment), (attachment, []))[1].append(at)
            with ExitStack() as stack:
                for attachment, members in groups.values():
                    whole = len(members) == len(chunk)
                    stack.enter_context(attachment.on(None if whole else members))
                yield

        vectors = encode(
            self.encoder, texts, batch_tokens=batch_tokens, rows=rows, progress=progress
        )
        return vectors.numpy()

    def _choose(
        self, n: int, languages: Sequence[str | None] | None
    ) -> Sequence[Attachment | None]:
        if languages is None:
            distinct = list({id(a): a for a in self.attachments.values()}.values())
            if len(distinct) > 1:
                known = ", ".join(sorted(self.attachments))
                raise UserError(
                    "several modules are loaded", todo=f"Give a language for each text ({known})"
                )
            return [distinct[0] if distinct else None] * n
        if len(languages) != n:
            raise UserError(f"{n} texts and {len(languages)} languages: give one for each text")
        found = {tag: self._find(tag) for tag in set(languages)}
        return [found[tag] for tag in languages]

    def _find(self, tag: str | None) -> Attachment | None:
        if tag is None:
            return None
        if tag not in self.attachments:
            tag = find_same(tag, self.attachments)
        return self.attachments[tag] if tag else None

    def bare(self, languages: Sequence[str | None]) -> list[str]:
        """Those of the tags that have no module, so that their rows are rows of the base."""
        named = [tag for tag in dict.fromkeys(languages) if tag is not None]
        return [tag for tag in named if self._find(tag) is None]


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
