"""An encoder-decoder with a module, ready to write texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from xadapt.backbones.seq2seq.seq2seq import Seq2Seq
from xadapt.backbones.seq2seq.text_tokens import TextTokens
from xadapt.composition.by_language import choices
from xadapt.composition.composed import Composed
from xadapt.config.recipe import ObjectiveSpec
from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.core.sequences import as_strings
from xadapt.hub.fetching import hub_module, module_folder
from xadapt.hub.integrity import allowing_modified
from xadapt.hub.manifest import Manifest
from xadapt.hub.safe_paths import is_folder
from xadapt.inference.locate import locate
from xadapt.inference.open_module import open_module
from xadapt.injection.activation import Activation, ActiveAdapter

BATCH = 32


class AdaptedSeq2Seq:
    """A frozen encoder-decoder with a module or a composition of modules.

    Args:
        seq2seq: The base.
        module: The module; ``None`` for the bare base.
        manifest: The manifest of the module's folder; of a composition, that of its last module.

    Attributes:
        seq2seq: The base.
        manifest: The manifest of the module, if it came from a folder.
        folders: The folders of the modules.

    Raises:
        UserError: If the module doesn't fit the base.
    """

    def __init__(
        self, seq2seq: Seq2Seq, module: nn.Module | None = None, manifest: Manifest | None = None
    ) -> None:
        self.seq2seq, self.manifest = seq2seq, manifest
        self.folders: tuple[str, ...] = ()
        self.tokens = TextTokens(seq2seq)
        own = None if module is None else module.to(seq2seq.device).requires_grad_(False)
        self._acts = None if own is None else Activation.of(ActiveAdapter(seq2seq, own))

    @classmethod
    def from_pretrained(
        cls,
        base: str,
        module: str | Path | None = None,
        *,
        dtype: str = "auto",
        device: str = "auto",
        allow_modified: bool = False,
    ) -> AdaptedSeq2Seq:
        """Load a base, and a module that was trained on it.

        Args:
            base: Hub id, folder or ``package:NAME/SUBDIR`` of a T5, mT5, BART, mBART, M2M100, NLLB
                or Marian model.
            module: Folder of the module, its id on the Hub, or a composition of folders such as
                ``"domain + tasks"``; ``None`` for the bare base.
            dtype: ``auto``, ``float32`` or ``bfloat16``.
            device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
            allow_modified: Load a folder that differs from the published version, with a notice.

        Raises:
            UserError: If there is no such base or module, or the module was trained on another
                base.
        """
        seq2seq = Seq2Seq.from_pretrained(base, dtype=dtype, device=device)
        if module is None:
            return cls(seq2seq)
        with allowing_modified(allow_modified):
            return cls.opened(seq2seq, module)

    @classmethod
    def opened(cls, seq2seq: Seq2Seq, module: str | Path) -> AdaptedSeq2Seq:
        """Load a module, or a composition of modules, for a base that is loaded.

        Args:
            seq2seq: The base.
            module: As for `from_pretrained`.

        Raises:
            UserError: If there is no such module, the modules were trained on another base, or they
                can't act together.
        """
        text = str(module)
        if is_folder(text) or hub_module(text) is not None:
            folder = module_folder(text)
            made = cls(seq2seq, *open_module(folder, seq2seq))
            made.folders = (folder,)
            return made
        composition, folders = locate((), text)
        if choices(composition):
            raise UserError(
                "an encoder-decoder takes no choice by language",
                where=text,
                todo="Name modules that act on every row, such as domain + tasks",
            )
        found = {name: open_module(folder, seq2seq) for name, folder in folders.items()}
        whole = Composed.checked(composition, {name: own for name, (own, _) in found.items()})
        made = cls(seq2seq, whole, [manifest for _, manifest in found.values()][-1])
        made.folders = tuple(folders.values())
        return made

    @contextmanager
    def active(self) -> Iterator[Seq2Seq]:
        """Let the module act on every forward of this thread inside the block.

        ``model.generate`` of transformers and all of `Seq2Seq` then compute with the module.

        Yields:
            The base.
        """
        with self.seq2seq.active(self._acts):
            yield self.seq2seq

    def write(
        self,
        texts: str | Sequence[str],
        *,
        lang: str | None = None,
        into: str | None = None,
        prompt: str | None = None,
        beams: int = 1,
        max_new_tokens: int | None = None,
        batch_size: int = BATCH,
    ) -> list[str]:
        """Write a text for each source: greedy or beam search, without sampling.

        Args:
            texts: The sources, or one.
            lang: Their language, where the base has tokens for languages.
            into: The language to write, where the base has tokens for languages.
            prompt: Text before every source; by default that with which the module was trained.
            beams: Number of beams; 1 is greedy.
            max_new_tokens: The most tokens of an output; by default twice those of the longest
                source and 20 more, as far as the base goes.
            batch_size: Number of sources in one forward.

        Raises:
            UserError: If the base has no token for a language, or a number is not above 0.
        """
        for name, number in (("beams", beams), ("batch_size", batch_size)):
            if number < 1:
                raise UserError(f"{name} is at least 1")
        before = self._prompt(lang, into) if prompt is None else prompt
        sources = [before + text for text in as_strings(texts)]
        rows = self.tokens.sources(sources, lang, into)
        first = self.tokens.forced(into)
        order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
        found = [""] * len(rows)
        for start in range(0, len(order), batch_size):
            some = order[start : start + batch_size]
            longest = len(rows[some[0]])
            most = max_new_tokens or 2 * longest + 20
            if self.seq2seq.room is not None:
                most = min(most, self.seq2seq.room - 1)
            shown = self._generate([rows[i] for i in some], first, beams, most)
            for place, text in zip(some, shown, strict=True):
                found[place] = text.strip()
        return found

    def _prompt(self, lang: str | None, into: str | None) -> str:
        """Return the prompt of the module's first objective with one."""
        specs = [] if self.manifest is None else self.manifest.recipe.get("objectives", [])
        known = registry.names("objectives")
        for spec in specs:
            if spec.get("name") not in known:
                continue
            objective = ObjectiveSpec(**spec).build()
            if hasattr(objective, "prompt_for"):
                named = self.tokens.in_words and lang is not None and into is not None
                return str(objective.prompt_for(lang, into)) if named else ""
            if hasattr(objective, "prompt"):
                return str(objective.prompt)
        return ""

    @torch.inference_mode()
    def _generate(
        self, rows: list[tuple[int, ...]], first: int | None, beams: int, most: int
    ) -> list[str]:
        pad = self.seq2seq.tokenizer.pad_token_id or 0
        longest = max(map(len, rows))
        tokens = torch.tensor([[*row, *[pad] * (longest - len(row))] for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
        extra = {} if first is None else {"forced_bos_token_id": first}
        with self.active():
            made = self.seq2seq.model.generate(
                input_ids=tokens.to(self.seq2seq.device),
                attention_mask=mask.to(self.seq2seq.device),
                num_beams=beams,
                do_sample=False,
                max_new_tokens=most,
                **extra,
            )
        shown: list[str] = self.seq2seq.tokenizer.batch_decode(made, skip_special_tokens=True)
        return shown
