"""A part of a dictionary that is always the same: entries to train on, or words held out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from xadapt.core.errors import UserError
from xadapt.core.text_key import normal_key
from xadapt.data.records import WordPair
from xadapt.data.transforms.protocol import Applies, Services

Part_ = Literal["train", "held_out", "all"]


def dictionary_part(
    entries: Sequence[WordPair], part: Part_, held_out: float = 0.2, share: float = 1.0
) -> list[WordPair]:
    """Choose entries by a hash of their words.

    Entries that share a word on either side are in one group, and a group is held out as a whole.
    So no held-out word, and no translation of one, is trained on. The choice depends on the words
    alone: on no seed, order, process or run.

    Args:
        entries: The dictionary.
        part: ``train``, ``held_out``, or ``all``.
        held_out: Share of groups that are held out.
        share: Share of the other groups that are in ``train``.

    Returns:
        The entries of the part, without those that are equal on both sides, in their order.
    """
    kept = [e for e in entries if normal_key(e.word) != normal_key(e.pivot)]
    if part == "all":
        return kept
    keys = _group_keys(kept)
    chosen = []
    for entry, key in zip(kept, keys, strict=True):
        held = _draw("held out", key) < held_out
        if held if part == "held_out" else not held and _draw("share", key) < share:
            chosen.append(entry)
    return chosen


def _group_keys(entries: Sequence[WordPair]) -> list[str]:
    """Return the name of each entry's group: the least of its words."""
    parent: dict[str, str] = {}

    def root(word: str) -> str:
        while parent[word] != word:
            parent[word] = parent[parent[word]]
            word = parent[word]
        return word

    sides = []
    for entry in entries:
        pair = (f"{entry.lang} {normal_key(entry.word)}",
                f"{entry.pivot_lang} {normal_key(entry.pivot)}")  # fmt: skip
        for word in pair:
            parent.setdefault(word, word)
        first, second = sorted(map(root, pair))
        parent[second] = first
        sides.append(pair[0])
    return [root(word) for word in sides]


def _draw(purpose: str, key: str) -> float:
    """Return a number in [0, 1) that depends on the texts alone."""
    found = hashlib.sha256(f"{purpose}:{key}".encode()).digest()
    return int.from_bytes(found[:8], "big") / 2**64


@dataclass(frozen=True)
class DictionaryPart:
    """Keep the entries to train on, and leave those out whose words measure the result.

    Entries that share a word are kept or left out together, by a hash of their words, so that the
    choice is the same in every process and after every resumption; the manifest of a module has the
    options and the hash of the chosen entries. ``xadapt evaluate dictionary`` takes the other part.
    Entries with equal words on both sides are left out of both.

    Source: the random part of the vocabulary of Tang et al. 2022,
    https://arxiv.org/abs/2211.08547, section 4; the held-out words are ours.

    Attributes:
        part: ``train``, ``held_out``, or ``all``.
        held_out: Share of groups of entries that are held out.
        share: Share of the other groups that are in ``train``.
    """

    part: Part_ = "train"
    held_out: Annotated[float, Field(ge=0, lt=1)] = 0.2
    share: Annotated[float, Field(gt=0, le=1)] = 1.0

    consumes: ClassVar[type] = WordPair
    gives: ClassVar[type] = WordPair
    needs: ClassVar[tuple[str, ...]] = ()
    applies: ClassVar[Applies] = "data"

    def apply(self, records: Sequence[WordPair], services: Services) -> list[WordPair]:
        """Return the entries of the part, in order; the log has their number.

        Raises:
            UserError: If none is left.
        """
        chosen = dictionary_part(records, self.part, self.held_out, self.share)
        if not chosen:
            raise UserError(
                f"no entry of the dictionary is left in the part {self.part}",
                todo="Give a longer dictionary, or another held_out or share",
            )
        services.log(f"{len(chosen)} of {len(records)} entries of the dictionary ({self.part})")
        return chosen


Part = DictionaryPart
