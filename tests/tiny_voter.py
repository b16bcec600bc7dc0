"""A voter that knows names, biased to the first place of the list, for tests of ``kg judge``."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from typing import Any

from xadapt.integrations.language_models.protocol import Question, Reply

ENTRY = re.compile(r"<entry>\n(.*?)\n</entry>", re.S)
CANDIDATES = re.compile(r"^Candidate \d+\nname: (.*)$", re.M)


class Voter:
    """Chooses the right name, or, as often as its bias says, the first candidate.

    Args:
        right: Right name by name of the entry.
        bias: Probability that a call takes the first candidate.
        known: Share of the entries that it knows; for others it chooses at random.
        fixed: Whether the bias is a property of the entry, not of the call: an entry that meets
            it meets it in every round.
    """

    def __init__(
        self,
        right: Mapping[str, str],
        bias: float = 0.0,
        known: float = 1.0,
        fixed: bool = False,
    ) -> None:
        self.right, self.bias, self.known, self.fixed = right, bias, known, fixed
        self.prompts: list[str] = []

    @property
    def facts(self) -> Mapping[str, str]:
        """The name of a model."""
        return {"language model": "own", "model": "voter"}

    def reply(self, question: Question) -> Reply:
        """Choose a candidate."""
        prompt = question.prompt
        self.prompts.append(prompt)
        return Reply(json.dumps({"choice": self.choose(prompt)}))

    def choose(self, prompt: str) -> int:
        """Return the number of a candidate."""
        entry = ENTRY.search(prompt)
        assert entry
        name = entry[1].splitlines()[0].removeprefix("name: ")
        shown: list[Any] = CANDIDATES.findall(prompt)
        draw = random.Random(f"bias {name if self.fixed else prompt}")
        if draw.random() < self.bias:
            return 1
        if random.Random(f"known {name}").random() >= self.known:
            return random.Random(f"guess {prompt}").randint(1, len(shown))
        wanted = self.right.get(name)
        return shown.index(wanted) + 1 if wanted in shown else 0
