"""A translator: an encoder-decoder with a module that was trained to translate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import transformers

from xadapt.core.errors import UserError
from xadapt.hub.hashes import file_hash
from xadapt.hub.opening import tensor_path
from xadapt.inference.adapted_seq2seq import AdaptedSeq2Seq

FORM = "seq2seq:"


class ModuleTranslator:
    """A translation model with a module; it has the form of a `Translator`.

    Args:
        adapted: The base with the module.
        facts: What decides the translations.
    """

    def __init__(self, adapted: AdaptedSeq2Seq, facts: Mapping[str, str]) -> None:
        self.adapted = adapted
        self._facts = dict(facts)

    @classmethod
    def open(cls, translator: object, module: str | Path) -> ModuleTranslator:
        """Load a base and a module.

        Args:
            translator: ``seq2seq:BASE``.
            module: Folder of the module, its id on the Hub, or a composition of folders.

        Raises:
            UserError: If the text names no base, there is no such base or module, or the module was
                trained on another base.
        """
        if not isinstance(translator, str) or not translator.startswith(FORM):
            raise UserError(
                "a module translates with the base that it was trained on",
                where="--module",
                todo="Name the base: --translator seq2seq:BASE",
            )
        base = translator.removeprefix(FORM)
        adapted = AdaptedSeq2Seq.from_pretrained(base, module)
        hashes = (file_hash(tensor_path(folder)).sha256 for folder in adapted.folders)
        facts = {
            "translator": "seq2seq",
            "model": adapted.seq2seq.fingerprint,
            "type": str(adapted.seq2seq.model.config.model_type),
            "module": f"{' '.join(hashes)} {module if len(adapted.folders) > 1 else ''}".strip(),
            "transformers": transformers.__version__,
        }
        return cls(adapted, facts)

    @property
    def facts(self) -> Mapping[str, str]:
        """The fingerprint of the base, the hash of the module and the version of transformers."""
        return self._facts

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        """Translate texts; an empty text stays empty.

        Args:
            texts: Any number of texts.
            source: Their language, a BCP-47 tag.
            target: The language to translate into.

        Raises:
            UserError: If the base doesn't know a language, or a text is longer than it reads.
        """
        full = [text for text in texts if text.strip()]
        self.adapted.tokens.cut.clear()
        found = iter(self.adapted.write(full, lang=source, into=target) if full else ())
        if self.adapted.tokens.cut:
            text = min(self.adapted.tokens.cut)
            raise UserError(
                f"a text is longer than the {self.adapted.seq2seq.max_length} tokens that the "
                f"model reads: {text[:60]!r}",
                where=self.adapted.seq2seq.name,
                todo="Split long texts into sentences",
            )
        return [next(found) if text.strip() else "" for text in texts]
