"""Translation models of transformers: NLLB, M2M100, mBART and Marian."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import transformers

from xadapt.backbones.seq2seq.language_codes import code_of, codes_of, spelled
from xadapt.core.errors import UserError

BATCH = 32
LONGEST = 512
ROOM = (2, 20)
"""New tokens at most: this many times the tokens of the longest text, and as many more."""


class Seq2SeqTranslator:
    """A translation model: greedy or beam search, without sampling.

    Args:
        model: Model with ``generate``, in eval mode.
        tokenizer: Its tokenizer.
        name: Hub id or folder, for the facts and messages.
        beams: Number of beams; 1 is greedy search.
        batch_size: Number of texts in one forward.
    """

    def __init__(
        self, model: Any, tokenizer: Any, name: str, *, beams: int = 1, batch_size: int = BATCH
    ) -> None:
        self.model, self.tokenizer, self.name = model.eval(), tokenizer, name
        self.beams, self.batch_size = beams, batch_size
        self.codes = codes_of(tokenizer)

    @classmethod
    def from_pretrained(cls, name: str, *, beams: int = 1) -> Seq2SeqTranslator:
        """Load a model from the Hub or a folder, safetensors only and without remote code.

        Raises:
            UserError: If there is no such model, or it is no translation model.
        """
        given: dict[str, Any] = {"trust_remote_code": False}
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(name, **given)
            model = transformers.AutoModelForSeq2SeqLM.from_pretrained(
                name, use_safetensors=True, **given
            )
        except (OSError, ValueError, KeyError, ImportError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise UserError(
                f"no translation model can be loaded from it: {reason[:200]}",
                where=name,
                todo="Name a seq2seq model on the Hub or a folder, with safetensors weights",
            ) from None
        return cls(model, tokenizer, name, beams=beams)

    @property
    def facts(self) -> Mapping[str, str]:
        """The model, its revision, the number of beams and the version of transformers."""
        config = self.model.config
        found = {
            "translator": "seq2seq",
            "model": self.name,
            "type": str(config.model_type),
            "beams": str(self.beams),
            "transformers": transformers.__version__,
        }
        revision = getattr(config, "_commit_hash", None)
        return found | ({"revision": str(revision)} if revision else {})

    @property
    def one_way(self) -> bool:
        """Whether the model translates in one direction only, as Marian models do."""
        return str(self.model.config.model_type) == "marian"

    @torch.inference_mode()
    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        """Translate texts, the longest together; see `Translator.translate`.

        Raises:
            UserError: If the model doesn't know a language, or a text is longer than the model can
                read.
        """
        said = {place: "" for place, text in enumerate(texts) if not text.strip()}
        extra, prefix = self.languages(source, target)
        places = sorted(
            (i for i in range(len(texts)) if i not in said), key=lambda i: len(texts[i])
        )
        for start in range(0, len(places), self.batch_size):
            some = places[start : start + self.batch_size]
            batch = self._batch([prefix + texts[place] for place in some])
            times, more = ROOM
            tokens = self.model.generate(
                **batch, **extra, num_beams=self.beams, do_sample=False, max_length=None,
                max_new_tokens=times * batch["input_ids"].shape[1] + more,
            )  # fmt: skip
            shown = self.tokenizer.batch_decode(tokens, skip_special_tokens=True)
            said.update(zip(some, map(str.strip, shown), strict=True))
        return [said[place] for place in range(len(texts))]

    def _batch(self, texts: list[str]) -> dict[str, Any]:
        given = self.tokenizer(texts, padding=True, return_tensors="pt")
        tokens = given["input_ids"].shape[1]
        known = self.model.config
        longest = min(getattr(known, "max_position_embeddings", None) or LONGEST, 4096)
        if tokens > longest:
            lengths = given["attention_mask"].sum(1)
            text = texts[int(lengths.argmax())]
            raise UserError(
                f"a text of {tokens} tokens is longer than the {longest} that the model reads: "
                f"{text[:60]!r}",
                where=self.name,
                todo="Split long texts into sentences",
            )
        names = ("input_ids", "attention_mask")
        return {name: given[name].to(self.model.device) for name in names}

    def languages(self, source: str, target: str) -> tuple[dict[str, Any], str]:
        """Set both languages; return what ``generate`` needs and the prefix of each text.

        Raises:
            UserError: If the model doesn't know a language.
        """
        if self.model.config.model_type == "marian":
            return {}, self._marian_prefix(target)
        if not self.codes:
            raise UserError(
                "the tokenizer has no language codes", where=self.name,
                todo="Use an NLLB, M2M100, mBART or Marian model",
            )  # fmt: skip
        self.tokenizer.src_lang = spelled(code_of(self.codes, source, self.name))
        code = code_of(self.codes, target, self.name)
        self.tokenizer.tgt_lang = spelled(code)
        return {"forced_bos_token_id": self._id(code)}, ""

    def _id(self, token: str) -> int:
        return int(self.tokenizer.convert_tokens_to_ids(token))

    def _marian_prefix(self, target: str) -> str:
        """Many-to-many Marian models read the target language as the first token."""
        if not self.codes:
            return ""
        return code_of(self.codes, target, self.name) + " "
