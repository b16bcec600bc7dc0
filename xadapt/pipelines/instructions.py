"""Rows of instructions: prompts with responses, conversations, or plain texts, in JSON lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from xadapt.core.errors import UserError
from xadapt.core.strict_parsing import parse_json
from xadapt.data.readers.lines import read_lines

ROLES = {"prompt": "user", "response": "assistant"}
FORM = "Write {prompt, response}, {messages: [{role, content}]} or {text}"


@dataclass(frozen=True)
class Instruction:
    """One row.

    Attributes:
        number: Its line in the file, from 1.
        id: Its id; without one, the number of the line.
        roles: The role of each turn: ``system``, ``user`` or ``assistant``. Empty for a plain text.
        texts: The text of each turn, or the one text.
    """

    number: int
    id: str
    roles: tuple[str, ...]
    texts: tuple[str, ...]

    def to_chat(self, texts: Sequence[str], language: str) -> dict[str, Any]:
        """Build the row that trainers of language models read.

        Args:
            texts: The texts in place of the row's own.
            language: Their language.
        """
        head = {"id": self.id, "lang": language}
        if not self.roles:
            return {**head, "text": texts[0]}
        turns = zip(self.roles, texts, strict=True)
        return {**head, "messages": [{"role": role, "content": text} for role, text in turns]}


def read_instructions(path: str) -> Iterator[Instruction]:
    """Read JSON lines, one at a time; the file may be compressed. Empty lines are skipped.

    A response that is absent or empty is left out.

    Raises:
        UserError: If the file can't be read, or a line is not such a row.
    """
    for number, line in read_lines(path):
        if line.strip():
            yield _row(parse_json(line, where=f"{path}:{number}"), number, f"{path}:{number}")


def _row(value: Any, number: int, where: str) -> Instruction:
    if not isinstance(value, dict):
        raise UserError("a row must be an object", where=where, todo=FORM)
    name = value.get("id", number)
    if isinstance(name, (dict, list)):
        raise UserError("an id must be a text or a number", where=where)
    if "messages" in value:
        turns = _turns(value["messages"], where)
    elif "prompt" in value:
        turns = [(ROLES[key], value[key]) for key in ROLES if value.get(key) not in (None, "")]
    elif "text" in value:
        turns = [("", value["text"])]
    else:
        raise UserError("this row has no text", where=where, todo=FORM)
    texts = tuple(text for _, text in turns)
    if not turns or not all(isinstance(text, str) for text in texts) or not any(texts):
        raise UserError("a text is empty or no text", where=where, todo=FORM)
    roles = tuple(role for role, _ in turns) if turns[0][0] else ()
    return Instruction(number, str(name), roles, texts)


def _turns(messages: Any, where: str) -> list[tuple[str, Any]]:
    good = isinstance(messages, list) and all(
        isinstance(one, dict) and one.get("role") in ("system", "user", "assistant")
        for one in messages
    )
    if not good:
        raise UserError(
            "messages must be a list of objects with the role system, user or assistant",
            where=where,
            todo=FORM,
        )
    return [(one["role"], one.get("content")) for one in messages]
