"""Find where a model would put a pair of markers into a given translation.

A translation of a source without markers is given. The source is now given with markers around one
span: ``Only France and [ Britain ] backed ..``. An output of this search is the translation itself,
token for token, with one pair of markers around one or more of its words. The model scores every
such output, and those with the greatest probability are found.

All prefixes of one length are decoded together, with a cache. A sweep goes through the lengths from
the shortest to the longest and takes the likeliest ``width`` prefixes of each length; what is left
waits for the next sweep. So the first sweep finds whole outputs at once, as a depth-first search
does, and a bound from them drops most of what waits. What waits is tokens alone: a prefix that a
later sweep takes is read again, in one forward, so that memory holds the cache of one length.
Several searches share the steps.

Bound: the ``best``-th output so far has a log-probability after each of its tokens. A prefix of
``t`` tokens is dropped if it is not above the one after ``t + alpha`` tokens. With ``alpha`` below
0 the whole output is meant, and nothing that belongs to the best outputs is lost: each further
token can only take probability away. Other values are heuristics.

Source: CODEC, Le et al. 2024, https://arxiv.org/abs/2402.03131, section 3. In the authors' code the
batches of a depth-first search hold prefixes of one parent batch, and a prefix is followed although
no marker can be opened behind it; here neither is so. What the exact bound finds is the same.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

Ways = tuple[tuple[int, ...], ...]
P = TypeVar("P", bound="Prefixes")


class Prefixes(Protocol):
    """Prefixes of one length that a model decodes; `xadapt.backbones.seq2seq.decoding.Decoding`."""

    def step(self, tokens: Sequence[int] | None = None) -> Tensor:
        """Add a token to each prefix; return log-probabilities ``(prefixes, vocabulary)``."""
        ...

    def branch(self: P, rows: Sequence[int]) -> P:
        """Return some of the prefixes, and leave these as they are."""
        ...

    def join(self: P, others: Sequence[P]) -> P:
        """Return these prefixes and those of others, in this order."""
        ...

    def reread(self: P, rows: Sequence[int], tokens: Sequence[Sequence[int]]) -> tuple[P, Tensor]:
        """Return new prefixes of the sources of some rows, and what follows them."""
        ...


@dataclass(frozen=True)
class MarkerTask:
    """One translation that gets one pair of markers.

    Attributes:
        words: The tokens of each word of the translation.
        end: The token that ends an output.
        left: The ways to write the opening marker, each some tokens.
        right: The ways to write the closing marker.
        forced: Tokens that begin every output, such as that of a language; they are not scored.
        opening: The words, from 0, before which the opening marker may stand; ``None`` for all.

    Raises:
        ValueError: If there is no word, a word or marker has no token, or no opening is possible.
    """

    words: tuple[tuple[int, ...], ...]
    end: int
    left: Ways
    right: Ways
    forced: tuple[int, ...] = ()
    opening: frozenset[int] | None = None

    def __post_init__(self) -> None:
        if not self.words or not all(self.words):
            raise ValueError("a translation has words, and each word has tokens")
        if not all(ways and all(ways) for ways in (self.left, self.right)):
            raise ValueError("a marker has no token")
        if not self.openings:
            raise ValueError("there is no word before which a marker may be opened")

    @cached_property
    def openings(self) -> frozenset[int]:
        """The words before which the opening marker may stand."""
        every = frozenset(range(len(self.words)))
        return every if self.opening is None else every & self.opening

    @cached_property
    def tokens(self) -> tuple[int, ...]:
        """The output without markers, with what begins and ends it."""
        return (*self.forced, *(token for word in self.words for token in word), self.end)

    @cached_property
    def bounds(self) -> dict[int, int]:
        """By place in `tokens`, the word that begins there; the number of words at the end."""
        found, at = {}, len(self.forced)
        for number, word in enumerate(self.words):
            found[at] = number
            at += len(word)
        return {**found, at: len(self.words)}

    @cached_property
    def last(self) -> int:
        """The last place in `tokens` where a marker may be opened."""
        return max(place for place, word in self.bounds.items() if word in self.openings)


class Hypothesis(NamedTuple):
    """An output: the translation with markers around words ``start`` to ``end``, half-open.

    Of several spans whose outputs have the same tokens, since a word looks like a marker, it is the
    shortest.

    Attributes:
        start: The first word.
        end: The word behind the last one.
        totals: The log-probability after each token; the last one is that of the output.
        tokens: The tokens.
    """

    start: int
    end: int
    totals: tuple[float, ...]
    tokens: tuple[int, ...]

    @property
    def score(self) -> float:
        """The log-probability of the output."""
        return self.totals[-1]


class _Node(NamedTuple):
    """A prefix whose last token the model has not read.

    Row ``row`` of the prefixes of the step before holds the others; -1 if they are not there.
    """

    task: int
    tokens: tuple[int, ...]
    totals: tuple[float, ...]
    place: int
    start: int
    end: int
    rest: tuple[int, ...]
    row: int


class _Way(NamedTuple):
    """One continuation of a prefix."""

    token: int
    place: int
    start: int
    end: int
    rest: tuple[int, ...] = ()


@dataclass
class _Board:
    """The best outputs of one task, the best one first, each span once."""

    best: int
    alpha: int
    found: list[Hypothesis] = field(default_factory=list)

    def add(self, made: Hypothesis) -> None:
        span = made.start, made.end
        known = next((one for one in self.found if (one.start, one.end) == span), None)
        if known is not None:
            if known.score >= made.score:
                return
            self.found.remove(known)
        insort(self.found, made, key=lambda one: -one.score)
        del self.found[self.best :]

    def limit(self, length: int) -> float:
        """Return what a prefix of ``length`` tokens must be above."""
        if len(self.found) < self.best:
            return -float("inf")
        totals = self.found[-1].totals
        if self.alpha < 0:
            return totals[-1]
        return totals[min(length + self.alpha, len(totals)) - 1]


@torch.no_grad()
def search_markers(
    prefixes: Prefixes,
    tasks: Sequence[MarkerTask],
    *,
    best: int = 5,
    alpha: int = -1,
    width: int = 16,
) -> list[tuple[Hypothesis, ...]]:
    """Find the likeliest places of a pair of markers.

    Args:
        prefixes: An empty prefix for each task, which has read nothing yet.
        tasks: The tasks.
        best: Number of outputs of each task.
        alpha: Below 0 the search is exact; else the tokens that the bound looks ahead.
        width: The most prefixes of a task in one step.

    Returns:
        For each task its best outputs, the best one first; fewer if there are fewer.

    Raises:
        ValueError: If there is no task, or ``best`` or ``width`` is below 1.
    """
    if not tasks or best < 1 or width < 1:
        raise ValueError("there is a task or more, and best and width are at least 1")
    return _Search(tasks, [_Board(best, alpha) for _ in tasks], width).run(prefixes)


@dataclass
class _Search:
    """The state of a search: by length, the prefixes that wait."""

    tasks: Sequence[MarkerTask]
    boards: list[_Board]
    width: int
    waiting: dict[int, list[_Node]] = field(default_factory=dict)

    def run(self, prefixes: Prefixes) -> list[tuple[Hypothesis, ...]]:
        self._continue(
            [_Node(n, (), (), 0, -1, -1, (), n) for n in range(len(self.tasks))], prefixes.step()
        )
        home = prefixes
        while self.waiting:
            length = min(self.waiting)
            while length <= max(self.waiting, default=0):
                chosen = self._choose(length)
                if chosen:
                    home = self._step(chosen, home, prefixes)
                length += 1
        return [tuple(board.found) for board in self.boards]

    def _step(self, chosen: Sequence[_Node], home: Prefixes, root: Prefixes) -> Prefixes:
        """Read the last tokens of prefixes, those that are at hand and others anew."""
        near = [node for node in chosen if node.row >= 0]
        far = [node for node in chosen if node.row < 0]
        made: list[Prefixes] = []
        scores: list[Tensor] = []
        if near:
            made.append(home.branch([node.row for node in near]))
            scores.append(made[0].step([node.tokens[-1] for node in near]))
        if far:
            again = root.reread([node.task for node in far], [node.tokens for node in far])
            made.append(again[0])
            scores.append(again[1])
        self._continue([*near, *far], torch.cat(scores))
        return made[0].join(made[1:]) if len(made) > 1 else made[0]

    def _choose(self, length: int) -> list[_Node]:
        """Take the likeliest prefixes of one length out of those that wait."""
        nodes = [
            node
            for node in self.waiting.pop(length, [])
            if node.totals[-1] > self.boards[node.task].limit(length)
        ]
        nodes.sort(key=lambda node: -node.totals[-1])
        taken = [0] * len(self.tasks)
        chosen: list[_Node] = []
        left: list[_Node] = []
        for node in nodes:
            (chosen if taken[node.task] < self.width else left).append(node)
            taken[node.task] += 1
        if left:
            self.waiting[length] = [node._replace(row=-1) for node in left]
        return chosen

    def _continue(self, nodes: Sequence[_Node], scores: Tensor) -> None:
        """Add what may follow prefixes to those that wait, or to the outputs.

        Args:
            nodes: The prefixes, in the order of rows.
            scores: What follows them, ``(prefixes, vocabulary)``.
        """
        ways = [_ways(self.tasks[node.task], node) for node in nodes]
        rows = [row for row, own in enumerate(ways) for _ in own]
        tokens = [way.token for own in ways for way in own]
        if not rows:
            return
        values = scores[rows, tokens].tolist()
        for row, way, value in zip(rows, (w for own in ways for w in own), values, strict=True):
            node = nodes[row]
            task, board = self.tasks[node.task], self.boards[node.task]
            before = node.totals[-1] if node.totals else 0.0
            scored = way.place > len(task.forced) or way.start >= 0
            totals = (*node.totals, before + value if scored else before)
            if totals[-1] <= board.limit(len(totals)):
                continue
            written = (*node.tokens, way.token)
            if way.place == len(task.tokens):
                board.add(Hypothesis(*_shortest(task, written), totals, written))
                continue
            made = _Node(node.task, written, totals, *way[1:], row)
            self.waiting.setdefault(len(totals), []).append(made)


def _ways(task: MarkerTask, node: _Node) -> list[_Way]:
    """Return what may follow a prefix: the next token of the translation, or of a marker."""
    place, start, end = node.place, node.start, node.end
    if node.rest:
        return [_Way(node.rest[0], place, start, end, node.rest[1:])]
    last = place + 1 == len(task.tokens)
    # copying past the last opening, or the end inside the markers, can't become an output
    copied = place < task.last if start < 0 else end >= 0 or not last
    ways = [_Way(task.tokens[place], place + 1, start, end)] if copied else []
    word = task.bounds.get(place, -1)
    if start < 0 and word in task.openings:
        ways += [_Way(way[0], place, word, -1, way[1:]) for way in task.left]
    elif start >= 0 and end < 0 and word > start:
        ways += [_Way(way[0], place, start, word, way[1:]) for way in task.right]
    return ways


def _shortest(task: MarkerTask, tokens: tuple[int, ...]) -> tuple[int, int]:
    """Return the shortest span whose output has these tokens, the first of equals.

    Words of the translation may look like markers. Then it makes no difference to the tokens
    whether a marker stands before or behind them.
    """
    found = []
    for place, start in task.bounds.items():
        for left in task.left if start in task.openings else ():
            if tokens[place : place + len(left)] != left:
                continue
            rest = tokens[:place] + tokens[place + len(left) :]
            for behind, end in task.bounds.items():
                ways = (
                    right for right in task.right if rest[behind : behind + len(right)] == right
                )
                for right in ways if end > start else ():
                    if rest[:behind] + rest[behind + len(right) :] == task.tokens:
                        found.append((end - start, start, end))
    _, start, end = min(found)
    return start, end
