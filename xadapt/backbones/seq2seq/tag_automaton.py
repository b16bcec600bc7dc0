"""The automaton of tagged sentences: which token may follow, and which spans an output has.

An output is the sentence itself with tags around spans: ``The <LOC> Hague </LOC> is wet``. From
outside a span, the next word is copied or a tag is opened; the output ends when all words are
copied. In a span, the next word is copied, or the same tag is closed once the span has a word.
Spans don't nest. Adjacent spans are allowed. In the middle of a word or a tag of several tokens,
the next token of it follows.

A word may begin as a tag does (``<`` before ``<LOC>``). Then the automaton follows both readings,
until a token tells them apart.

Source: García-Ferrero 2025, https://arxiv.org/abs/2502.02722, chapter on constrained decoding. In
the authors' code a word is forced after a closing tag of several tokens, so that adjacent spans
can't be written; here they can.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from xadapt.functional.tag_scheme import Span


class State(NamedTuple):
    """One reading of a prefix.

    Attributes:
        word: Number of words that are copied.
        piece: Number of tokens of the next word that are copied.
        tag: The open tag, or -1.
        filled: Whether the open tag has a word.
        opening: Node of the opening tag that is being written, or 0.
        closing: Number of tokens of the closing tag that are written; -1 after the end.
    """

    word: int = 0
    piece: int = 0
    tag: int = -1
    filled: bool = False
    opening: int = 0
    closing: int = 0


class Reading(NamedTuple):
    """The spans of one reading: those that are closed, and where the open one begins."""

    spans: tuple[Span, ...] = ()
    start: int = 0


Readings = Mapping[State, Reading]
"""All readings of a prefix; none if no output begins with it."""


@dataclass
class Node:
    """One node of the trie of opening tags.

    Attributes:
        after: The node behind each token.
        tag: The tag that ends here, or -1.
        need: The fewest tokens that complete a tag below this node and close it.
    """

    after: dict[int, int] = field(default_factory=dict)
    tag: int = -1
    need: int = 0


class Tags:
    """The tokens of a set of tags.

    Args:
        opening: Tokens of the opening tag of each type.
        closing: Tokens of the closing tag of each type.
        end: The token that ends an output.

    Raises:
        ValueError: If there is no type, types differ between both, a tag has no token or holds the
            end, or two types have the same opening tag.
    """

    def __init__(
        self, opening: Mapping[str, Sequence[int]], closing: Mapping[str, Sequence[int]], end: int
    ) -> None:
        self.types = tuple(opening)
        if not self.types or set(opening) != set(closing):
            raise ValueError("opening and closing tags are of the same types, one or more")
        self.opening = [tuple(opening[name]) for name in self.types]
        self.closing = [tuple(closing[name]) for name in self.types]
        self.end = end
        for name, *both in zip(self.types, self.opening, self.closing, strict=True):
            if not all(both) or any(end in tokens for tokens in both):
                raise ValueError(f"a tag of {name} has no token, or one that ends the output")
        self.nodes = [Node()]
        for number, tokens in enumerate(self.opening):
            self._add(number, tokens)

    @property
    def longest(self) -> int:
        """The most tokens of an opening tag and its closing tag."""
        return max(len(a) + len(b) for a, b in zip(self.opening, self.closing, strict=True))

    def _add(self, number: int, tokens: tuple[int, ...]) -> None:
        at = 0
        for done, token in enumerate(tokens, 1):
            node = self.nodes[at]
            if token not in node.after:
                node.after[token] = len(self.nodes)
                self.nodes.append(Node(need=len(tokens) - done + len(self.closing[number])))
            at = node.after[token]
            rest = len(tokens) - done + len(self.closing[number])
            self.nodes[at].need = min(self.nodes[at].need, rest)
        if self.nodes[at].tag >= 0:
            one, other = self.types[self.nodes[at].tag], self.types[number]
            raise ValueError(f"the tags of {one} and {other} have the same tokens")
        self.nodes[at].tag = number


class TagAutomaton:
    """The automaton of one sentence.

    Args:
        words: The tokens of each word.
        tags: The tags.
        limit: The most tokens of an output, with its end. A tag is opened only if the rest of the
            sentence still fits. ``None`` is no limit.

    Raises:
        ValueError: If a word has no token or holds the end, or the bare words don't fit.
    """

    def __init__(
        self, words: Sequence[Sequence[int]], tags: Tags, limit: int | None = None
    ) -> None:
        self.words = [tuple(word) for word in words]
        self.tags = tags
        if any(not word or tags.end in word for word in self.words):
            raise ValueError("a word has no token, or one that ends the output")
        self.rest = [1]
        for word in reversed(self.words):
            self.rest.append(self.rest[-1] + len(word))
        self.rest.reverse()
        longest = self.rest[0] + len(self.words) * tags.longest
        self.limit = longest if limit is None else min(limit, longest)
        if self.limit < self.rest[0]:
            raise ValueError(f"the words and the end are {self.rest[0]} tokens, not {self.limit}")
        self._known: dict[State, dict[int, list[State]]] = {}

    def begin(self) -> Readings:
        """Return the readings of the empty prefix."""
        return {State(): Reading()}

    def allowed(self, readings: Readings, length: int) -> list[int]:
        """Return the tokens that may follow a prefix.

        Args:
            readings: Readings of the prefix.
            length: Number of its tokens.
        """
        room = self.limit - length - 1
        found = {
            token: None
            for state in readings
            for token, ways in self._ways(state).items()
            if any(self._need(way) <= room for way in ways)
        }
        return list(found)

    def follow(self, readings: Readings, token: int, length: int) -> Readings:
        """Return the readings after one more token; none if it is not allowed.

        Args:
            readings: Readings of the prefix.
            token: The token behind it.
            length: Number of tokens of the prefix.
        """
        room = self.limit - length - 1
        found: dict[State, Reading] = {}
        for state, reading in readings.items():
            for way in self._ways(state).get(token, ()):
                if self._need(way) > room:
                    continue
                made = self._read(state, way, reading)
                # of two readings with one future, the one with fewer tags holds
                if way not in found or len(made.spans) < len(found[way].spans):
                    found[way] = made
        return found

    def read(self, tokens: Sequence[int]) -> Readings:
        """Return the readings of a prefix."""
        readings = self.begin()
        for length, token in enumerate(tokens):
            readings = self.follow(readings, token, length)
            if not readings:
                break
        return readings

    def spans(self, tokens: Sequence[int]) -> tuple[Span, ...] | None:
        """Return the spans of a whole output, or ``None`` if it is no tagged copy of the sentence.

        Args:
            tokens: The tokens; what follows the first end is not looked at.
        """
        given = list(tokens)
        if self.tags.end not in given:
            return None
        readings = self.read(given[: given.index(self.tags.end) + 1])
        found = [reading.spans for state, reading in readings.items() if state.closing < 0]
        return min(found, key=len) if found else None

    def write(self, spans: Sequence[Span]) -> list[int]:
        """Return the tokens of the sentence with tags around spans, and the end.

        Args:
            spans: ``(start, end, type)`` over words, half-open.

        Raises:
            ValueError: If spans overlap or leave the sentence, or a type is unknown.
        """
        number = {name: n for n, name in enumerate(self.tags.types)}
        made: list[int] = []
        at = 0
        for start, end, name in sorted(spans):
            if not at <= start < end <= len(self.words) or name not in number:
                raise ValueError(f"the span {start}-{end} {name} can't be written here")
            inside = [token for word in self.words[start:end] for token in word]
            made += [token for word in self.words[at:start] for token in word]
            made += [*self.tags.opening[number[name]], *inside, *self.tags.closing[number[name]]]
            at = end
        return [*made, *(token for word in self.words[at:] for token in word), self.tags.end]

    def _ways(self, state: State) -> dict[int, list[State]]:
        """Return what may follow a state, by token, whatever the limit."""
        if state not in self._known:
            found: dict[int, list[State]] = {}
            for token, way in self._steps(state):
                found.setdefault(token, []).append(way)
            self._known[state] = found
        return self._known[state]

    def _steps(self, state: State) -> list[tuple[int, State]]:
        word, piece, tag, filled, opening, closing = state
        if closing < 0:
            return []
        if opening:
            return self._opened(state)
        if closing:
            return [self._closed(state)]
        steps: list[tuple[int, State]] = []
        if word < len(self.words):
            tokens = self.words[word]
            last = piece + 1 == len(tokens)
            after = State(word + 1, 0, tag, tag >= 0) if last else state._replace(piece=piece + 1)
            steps.append((tokens[piece], after))
        if piece:
            return steps
        if tag >= 0:
            return [*steps, self._closed(state)] if filled else steps
        if word < len(self.words):
            return [*steps, *self._opened(state)]
        return [(self.tags.end, state._replace(closing=-1))]

    def _opened(self, state: State) -> list[tuple[int, State]]:
        steps = []
        for token, number in self.tags.nodes[state.opening].after.items():
            node = self.tags.nodes[number]
            if node.tag >= 0:
                steps.append((token, State(state.word, tag=node.tag)))
            if node.after:
                steps.append((token, state._replace(opening=number)))
        return steps

    def _closed(self, state: State) -> tuple[int, State]:
        tokens = self.tags.closing[state.tag]
        token = tokens[state.closing]
        if state.closing + 1 == len(tokens):
            return token, State(state.word)
        return token, state._replace(closing=state.closing + 1)

    def _need(self, state: State) -> int:
        """Return the fewest tokens that complete an output."""
        if state.closing < 0:
            return 0
        need = self.rest[state.word] - state.piece
        if state.opening:
            return need + self.tags.nodes[state.opening].need
        if state.tag >= 0:
            need += len(self.tags.closing[state.tag]) - state.closing
        return need

    def _read(self, before: State, after: State, reading: Reading) -> Reading:
        if after.tag >= 0 and before.tag < 0:
            return Reading(reading.spans, before.word)
        if after.tag < 0 and before.tag >= 0:
            span = (reading.start, before.word, self.tags.types[before.tag])
            return Reading((*reading.spans, span))
        return reading
