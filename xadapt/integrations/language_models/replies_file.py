"""Replies that exist already, in a file; questions without one go to another file.

Both files can go through OpenAI's batch API: the questions are requests of it, and its results are
replies. A line of the file of replies is one of:

- ``{"custom_id": KEY, "response": {"body": {"choices": ..}}}``, as the batch API writes it;
- ``{"key": KEY, "reply": TEXT}``, with the key of a question;
- ``{"prompt": TEXT, "reply": TEXT}``, with the last message of a question.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xadapt.core.errors import UserError
from xadapt.core.files import atomic_file
from xadapt.core.strict_parsing import parse_json
from xadapt.data.readers.lines import read_lines
from xadapt.integrations.language_models.protocol import Question, Reply, UnansweredError

ENDING = ".questions.jsonl"
FORM = 'Write {"key", "reply"}, {"prompt", "reply"} or results of the batch API on each line'


class RepliesFile:
    """Replies by question.

    Args:
        path: The file of replies; it need not exist.
        by_key: Replies by the key of their question.
        by_prompt: Replies by the last message of their question.

    Attributes:
        questions: The file for questions without a reply.
    """

    def __init__(
        self, path: Path, by_key: Mapping[str, Reply], by_prompt: Mapping[str, Reply]
    ) -> None:
        self.path, self.by_key, self.by_prompt = path, by_key, by_prompt
        self.questions = path.with_name(path.name.removesuffix(".jsonl") + ENDING)
        self._open: dict[str, Question] = {}
        self._lock = threading.Lock()

    @classmethod
    def read(cls, path: str | Path) -> RepliesFile:
        """Read a file; it may be compressed, and empty lines are skipped.

        Raises:
            UserError: If the file can't be read, a line is malformed, or a question has two
                different replies.
        """
        found: tuple[dict[str, Reply], dict[str, Reply]] = ({}, {})
        for number, line in read_lines(str(path)) if Path(path).exists() else ():
            if not line.strip():
                continue
            where = f"{path}:{number}"
            row = _row(parse_json(line, where=where), where)
            if row is None:
                continue
            by, name, reply = row
            if found[by].setdefault(name, reply) != reply:
                raise UserError(
                    f"{name[:60]!r} has another reply further up", where=where, todo="Keep one"
                )
        return cls(Path(path), *found)

    @property
    def facts(self) -> Mapping[str, str]:
        """The hash of the replies, and the name of the file."""
        rows = sorted((name, one.text) for by in (self.by_key, self.by_prompt)
                      for name, one in by.items())  # fmt: skip
        digest = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
        return {"language model": "file", "file": self.path.name, "sha256": digest}

    def reply(self, question: Question) -> Reply:
        """Look the reply up; see `LanguageModel.reply`.

        Raises:
            UnansweredError: If the file lacks it. The question is kept for `write_questions`.
        """
        found = self.by_key.get(question.key) or self.by_prompt.get(question.prompt)
        if found is None:
            with self._lock:
                self._open[question.key] = question
            raise UnansweredError(question.key)
        return found

    @property
    def waiting(self) -> int:
        """The number of questions that were asked and have no reply."""
        return len(self._open)

    def write_questions(self, model: str = "MODEL") -> None:
        """Write the questions without a reply, as requests of the batch API.

        Args:
            model: The model's name in the requests.

        Raises:
            UserError: If the file can't be written.
        """
        with atomic_file(self.questions) as temporary, temporary.open("w", encoding="utf-8") as out:
            for key, question in sorted(self._open.items()):
                out.write(json.dumps(_request(key, question, model), ensure_ascii=False) + "\n")


def _request(key: str, question: Question, model: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": role, "content": text} for role, text in question.messages],
        "max_tokens": question.max_tokens,
        "temperature": question.temperature,
    }
    if question.schema is not None:
        schema = {"name": question.name, "schema": dict(question.schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return {"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": body}


def _row(value: Any, where: str) -> tuple[int, str, Reply] | None:
    """Return whether a line is by key (0) or by prompt (1), its name, and the reply.

    A request of a batch that failed is nothing: its question stays open.
    """
    wrong = UserError("this line is no reply", where=where, todo=FORM)
    if not isinstance(value, dict):
        raise wrong
    if "custom_id" in value:
        response = value.get("response") or {}
        if value.get("error") or not isinstance(response, dict):
            return None
        if response.get("status_code", 200) != 200:
            return None
        return 0, str(value["custom_id"]), _batch_reply(value, wrong)
    by = 0 if "key" in value else 1
    name, text = value.get("key", value.get("prompt")), value.get("reply")
    if not isinstance(name, str) or not isinstance(text, str):
        raise wrong
    return by, name, Reply(text)


def _batch_reply(value: Mapping[str, Any], wrong: UserError) -> Reply:
    try:
        body = value["response"]["body"]
        choice = body["choices"][0]
        message, usage = choice["message"], body.get("usage") or {}
        tokens = (int(usage.get("prompt_tokens", 0)), int(usage.get("completion_tokens", 0)))
        refusal = message.get("refusal")
        if refusal or choice.get("finish_reason") == "content_filter":
            return Reply(str(refusal or "content filter"), "refusal", *tokens)
        text = message["content"]
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):
        raise wrong from None
    if not isinstance(text, str):
        raise wrong
    return Reply(text, "length" if choice.get("finish_reason") == "length" else "stop", *tokens)
