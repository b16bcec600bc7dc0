"""A causal language model of transformers on this machine."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import torch
import transformers

from xadapt.core.errors import UserError
from xadapt.integrations.language_models.protocol import (
    Question,
    RejectedQuestionError,
    Reply,
)

BATCH = 8
PIECE = 1 << 20
"""Bytes at both ends of a file that tell it from another version."""
LONGEST = 4096
"""Tokens that a model reads whose configuration doesn't say."""


class LocalModel:
    """A causal model. Questions of several threads that wait together are one batch.

    Args:
        model: Model with ``generate``.
        tokenizer: Its tokenizer. Its chat template forms the conversation; without one, the
            messages are separated by empty lines.
        name: Hub id or folder, for the facts and messages.
        batch_size: Number of questions in one forward.
    """

    def __init__(self, model: Any, tokenizer: Any, name: str, *, batch_size: int = BATCH) -> None:
        self.model, self.tokenizer, self.name = model.eval(), tokenizer, name
        self.batch_size = batch_size
        tokenizer.padding_side = "left"
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
        self._waiting: list[tuple[Question, Future[Reply]]] = []
        self._lock, self._turn = threading.Lock(), threading.Lock()

    @classmethod
    def from_pretrained(cls, name: str) -> LocalModel:
        """Load a model from the Hub or a folder, safetensors only and without remote code.

        Raises:
            UserError: If there is no such model, or it is no causal model.
        """
        given: dict[str, Any] = {"trust_remote_code": False}
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(name, **given)
            model: Any = transformers.AutoModelForCausalLM.from_pretrained(
                name, use_safetensors=True, **given
            )
        except (OSError, ValueError, KeyError, ImportError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise UserError(
                f"no language model can be loaded from it: {reason[:200]}",
                where=name,
                todo="Name a causal model on the Hub or a folder, with safetensors weights",
            ) from None
        if torch.cuda.is_available():
            model = model.to("cuda")
        return cls(model, tokenizer, name)

    @property
    def facts(self) -> Mapping[str, str]:
        """The model, its revision or a hash of its files, and the version of transformers."""
        config = self.model.config
        found = {
            "language model": "local",
            "model": self.name,
            "type": str(config.model_type),
            "transformers": transformers.__version__,
        }
        if Path(self.name).is_dir():
            found["weights"] = _quick_hash(Path(self.name))
        revision = getattr(config, "_commit_hash", None)
        return found | ({"revision": str(revision)} if revision else {})

    def reply(self, question: Question) -> Reply:
        """Reply to a question, in one batch with those of other threads; see `LanguageModel.reply`.

        Raises:
            RejectedQuestionError: If question and reply are longer than what the model reads.
        """
        own: Future[Reply] = Future()
        with self._lock:
            self._waiting.append((question, own))
        with self._turn:  # while one thread computes, the questions of others gather
            if not own.done():
                self._answer()
        return own.result()

    def _answer(self) -> None:
        """Answer the questions that wait, those with equal settings together."""
        with self._lock:
            taken, self._waiting = self._waiting, []
        groups: dict[Any, list[tuple[Question, Future[Reply]]]] = {}
        for question, future in taken:
            sampled = question.key if question.temperature else ""
            groups.setdefault((question.max_tokens, sampled), []).append((question, future))
        for group in groups.values():
            for start in range(0, len(group), self.batch_size):
                some = group[start : start + self.batch_size]
                try:
                    replies = self._generated([question for question, _ in some])
                except BaseException as error:
                    for _, future in some:
                        future.set_exception(error)
                    continue
                for (_, future), reply in zip(some, replies, strict=True):
                    if isinstance(reply, Reply):
                        future.set_result(reply)
                    else:
                        future.set_exception(reply)

    @torch.inference_mode()
    def _generated(self, questions: Sequence[Question]) -> list[Reply | Exception]:
        """Generate replies, and errors for the questions that are too long."""
        first = questions[0]
        tokens = [self._tokens(question) for question in questions]
        room = getattr(self.model.config, "max_position_embeddings", None) or LONGEST
        found: list[Reply | Exception] = [
            RejectedQuestionError(f"{len(own):,} tokens leave no room: the model reads {room:,}")
            for own in tokens
        ]
        fit = [i for i, own in enumerate(tokens) if len(own) < room]
        if not fit:
            return found
        given = self.tokenizer.pad({"input_ids": [tokens[i] for i in fit]}, return_tensors="pt")
        width = given["input_ids"].shape[1]
        limit = min(first.max_tokens, room - width)
        if limit < first.max_tokens and len(fit) > 1:  # a longer question must not cut a reply
            return [reply for question in questions for reply in self._generated([question])]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(first.key[:8], 16))
            made = self.model.generate(
                **{
                    name: given[name].to(self.model.device)
                    for name in ("input_ids", "attention_mask")
                },
                max_new_tokens=limit,
                do_sample=first.temperature > 0,
                **({"temperature": first.temperature} if first.temperature else {}),
                pad_token_id=self.tokenizer.pad_token_id,
            )[:, width:].tolist()
        ends = self._ends()
        for i, row in zip(fit, made, strict=True):
            stop = next((n for n, token in enumerate(row) if token in ends), None)
            own = row if stop is None else row[:stop]
            text = self.tokenizer.decode(own, skip_special_tokens=True)
            finish = "length" if stop is None and len(row) >= limit else "stop"
            found[i] = Reply(text, finish, len(tokens[i]), len(own))  # type: ignore[arg-type]
        return found

    def _ends(self) -> set[int]:
        """Return the tokens that end a reply."""
        own = self.model.generation_config.eos_token_id
        given = own if isinstance(own, list) else [own]
        return {int(one) for one in (*given, self.tokenizer.eos_token_id) if one is not None}

    def _tokens(self, question: Question) -> list[int]:
        messages = [{"role": role, "content": text} for role, text in question.messages]
        if getattr(self.tokenizer, "chat_template", None):
            text = self.tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True
            )
            return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        text = "\n\n".join(one["content"] for one in messages) + "\n\n"
        return list(self.tokenizer(text)["input_ids"])


def _quick_hash(folder: Path) -> str:
    """Return a hash of names, sizes, beginnings and ends of the files of a folder."""
    digest = hashlib.sha256()
    for path in sorted(one for one in folder.iterdir() if one.is_file()):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as stream:
            digest.update(stream.read(PIECE))
            stream.seek(max(0, size - PIECE))
            digest.update(stream.read(PIECE))
    return digest.hexdigest()
