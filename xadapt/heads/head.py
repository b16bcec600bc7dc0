"""Task heads: small maps from token states, or from a text's vector, to scores of labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from xadapt.functional.prototypes import class_means
from xadapt.functional.tag_scheme import Scheme
from xadapt.functional.thresholds import HALF, Choice

# One line of a card: no fence of Markdown, no control character.
Line = Annotated[str, Field(min_length=1, max_length=300, pattern=r"^[^`\x00-\x1f\x7f]*$")]

PROBLEM_TYPES = {
    "classification": "single_label_classification",
    "pair_classification": "single_label_classification",
    "multi_label": "multi_label_classification",
    "pair_scoring": "regression",
    "candidate_ranking": "regression",
}
"""The ``problem_type`` of transformers' sequence classification, by the kind of head."""
SCHEMED = ("tagging", "arguments")
"""The kinds of heads that label words; a scheme joins the labels to spans."""
POINTING = "span_pointing"
"""The kind of `PointerHead`."""
RANKING = "candidate_ranking"
"""The kind of a head with one score, which is compared among the candidates of a mention."""
RELATION = "relation"
"""The kind of `RelationHead`."""
RATING = "text_rating"
"""The kind of heads that rate a text: one number, or classes that are numbers."""
SPANS = "span_labelling"
"""The kind of `SpanLabelHead`."""

LOAD_HEAD = (
    "from safetensors.torch import load_file",
    'head = load_file(f"{folder}/head.safetensors")',
)
"""Lines of code, for a card, that load the tensors of a linear head."""
LINEAR = 'head["linear.weight"].T + head["linear.bias"]'
"""The factor of the states, in code, for the scores of a linear head."""


class HeadCard(BaseModel):
    """The facts about a head in the model card of a module's folder; the head's task gives them.

    Attributes:
        evaluate: Name of the task, for ``xadapt evaluate``.
        options: The options of that command that name the module's folder.
        task_type: The Hub's name for tasks of this kind.
        does: A verb phrase that says what the head does.
        example: A line of code that names an input, and the arguments of the tokenizer. If it is
            absent, the head reads texts.
        code: Lines of code from ``states`` to predictions; ``{labels}`` stands for the labels.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    evaluate: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    task_type: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
    does: Line
    options: Line = "--module FOLDER"
    example: tuple[Line, Line] | None = None
    code: Annotated[tuple[Line, ...], Field(max_length=64)] = ()


class Head(nn.Module):
    """A linear head that scores labels.

    Args:
        task: The kind of head. ``tagging`` reads the state of each word's first token.
            ``classification``, ``multi_label``, ``pair_classification``, ``pair_scoring`` and
            ``candidate_ranking`` read the state of the row's first token.
            ``span_extraction`` reads the states of all tokens. For ``arguments`` see
            `ArgumentHead`, for ``span_pointing`` `PointerHead`, for ``relation`` `RelationHead`. A
            task of another package may name a kind of its own.
        labels: The labels of the scores, in order.
        width: Number of input features.
        scheme: The scheme that joins labels of words to spans.
        scale: The values that the scores 0 and 1 stand for, if the one label is a number.

    Attributes:
        thresholds: For ``multi_label``, the probability of each label from which on it is given.
        threshold_choice: How the end of training chooses them: ``one``, ``per_label`` or not at
            all.
        fused: ``(start, stop)``, the half-open range of layers in which a text and its translation
            attend to each other, if the head was trained so.
    """

    fused: tuple[int, int] | None = None
    thresholds: tuple[float, ...] = ()
    threshold_choice: Choice | Literal[""] = ""

    def __init__(
        self,
        task: str,
        labels: Sequence[str],
        width: int,
        scheme: Scheme = "bio",
        scale: tuple[float, float] | None = None,
    ) -> None:
        super().__init__()
        self.task, self.labels, self.scheme, self.scale = task, tuple(labels), scheme, scale
        self.sizes: dict[str, int] = {}  # further sizes it is built with
        self.card: HeadCard | None = None  # set once the task of the head is known
        self.linear = nn.Linear(width, len(self.labels))
        if task == "multi_label":
            self.thresholds = (HALF,) * len(self.labels)

    def forward(self, states: Tensor) -> Tensor:
        """Map ``(..., width)`` to scores ``(..., labels)``, in fp32."""
        scores: Tensor = self.linear(states.float())
        return scores


@dataclass(frozen=True)
class Asked:
    """One predicate of an encoded sentence, and the words whose roles are to be scored.

    Attributes:
        row: Row of the states.
        words: Positions of the words in the sentence that have a token.
        at: The positions of their first tokens.
        predicate: The positions of the first tokens of the predicate's words.
        distances: Signed distance of each word to the predicate, in words: positive after its last
            word, negative before its first word, 0 inside.
    """

    row: int
    words: list[int]
    at: list[int]
    predicate: list[int]
    distances: list[int]


def asked(row: int, first: Sequence[int | None], start: int, stop: int) -> Asked | None:
    """Build the query of one predicate; ``None`` if the predicate was cut off.

    Args:
        row: Row of the states.
        first: The position of each word's first token; ``None`` for a word without a token.
        start: The predicate's first word.
        stop: One past the predicate's last word.
    """
    known = [(word, at) for word, at in enumerate(first) if at is not None]
    predicate = [at for word, at in known if start <= word < stop]
    if not predicate:
        return None
    words = [word for word, _ in known]
    distances = [min(word - start, 0) + max(word - stop + 1, 0) for word in words]
    return Asked(row, words, [at for _, at in known], predicate, distances)


class ArgumentHead(Head):
    """A head that scores the label of each word for one predicate of the sentence.

    The input is ``[h_i ; mean of the predicate's h ; embedding of the clipped signed distance]``,
    where the states are of first tokens. It goes through one hidden layer.

    Multi²OIE (Ro et al. 2020, https://arxiv.org/abs/2009.08128, section 3.3) has the same input,
    but its embedding only separates the predicate's words from other words. It then applies four
    layers of attention to the predicate's words. This head reads, for each word, only its own state
    and the states of the predicate's words.

    Args:
        labels: The labels of the scores, in order.
        width: Features of a state.
        hidden: Features of the hidden layer.
        distance: Features of an embedded distance.
        clip: The largest distance, in words, that has an embedding of its own.
    """

    def __init__(
        self,
        labels: Sequence[str],
        width: int,
        *,
        hidden: int = 256,
        distance: int = 64,
        clip: int = 32,
    ) -> None:
        super().__init__("arguments", labels, hidden)
        self.sizes = {"hidden": hidden, "distance": distance, "clip": clip}
        self.hidden = nn.Linear(2 * width + distance, hidden)
        self.distance = nn.Embedding(2 * clip + 1, distance)

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(..., 2 width + distance)`` to scores ``(..., labels)``, in fp32."""
        scores: Tensor = self.linear(F.gelu(self.hidden(features.float())))
        return scores

    def scores(self, states: Tensor, queries: Sequence[Asked]) -> Tensor:
        """Compute scores ``(words of all queries, labels)``, one query after the other.

        Args:
            states: ``(rows, tokens, width)``.
            queries: The predicates, at least one.
        """
        device, clip = states.device, self.sizes["clip"]
        lengths = torch.tensor([len(query.at) for query in queries], device=device)
        at = torch.tensor([(q.row, at) for q in queries for at in q.at], device=device)
        means = torch.stack([states[q.row, q.predicate].float().mean(0) for q in queries])
        far = torch.tensor([far for q in queries for far in q.distances], device=device)
        words = states[at[:, 0], at[:, 1]].float()
        near = self.distance(far.clamp(-clip, clip) + clip)
        return self(torch.cat([words, means.repeat_interleave(lengths, 0), near], -1))


class PointerHead(Head):
    """A head that points from one token, [QUE], to the first and the last token of an answer.

    ``P(first = k) = softmax_k(x_k . W_s x_q)`` over all tokens, and ``P(last = k)`` with ``W_e``.
    Both matrices are ``(width, width)`` and stand in ``linear``, ``W_s`` above ``W_e``.

    Source: Chen et al. 2022 (CLISM), https://arxiv.org/abs/2204.05210, section 3.1.

    Args:
        width: Features of a state.
    """

    def __init__(self, width: int) -> None:
        super().__init__(POINTING, ("start", "end"), width)
        self.linear = nn.Linear(width, 2 * width, bias=False)
        with torch.no_grad():
            self.linear.weight.mul_(0.25)  # the first scores of tokens are near each other

    def scores(self, states: Tensor, rows: Tensor, at: Tensor) -> Tensor:
        """Compute scores ``(queries, tokens, 2)``, in fp32.

        Args:
            states: ``(rows, tokens, width)``.
            rows: The row of each query, ``(queries,)``.
            at: Position of the [QUE] of each query, ``(queries,)``.
        """
        values = states.float()
        asked: Tensor = self.linear(values[rows, at])
        return torch.einsum("qtd,qkd->qtk", values[rows], asked.unflatten(-1, (2, -1)))


class RelationHead(Head):
    """A head that scores the relation between two marked entities of a text.

    Source: Hennig et al. 2023 (MultiTACRED), https://arxiv.org/abs/2305.04582, appendix, with the
    state of the row's first token; Baldini Soares et al. 2019, https://arxiv.org/abs/1906.03158,
    section 3.2, with the states of both opening markers.

    Args:
        labels: The relations, in order.
        width: Features of a state.
        states: 1 reads the row's first token; 2 reads the markers before head and tail.
        types: 1 if rows end with the types of the entities, else 0.

    Raises:
        ValueError: If ``states`` is neither 1 nor 2.
    """

    def __init__(
        self, labels: Sequence[str], width: int, *, states: int = 2, types: int = 0
    ) -> None:
        if states not in (1, 2):
            raise ValueError("a head of relations reads 1 or 2 states")
        super().__init__(RELATION, labels, states * width)
        self.sizes = {"states": states} | ({"types": 1} if types else {})

    def scores(self, states: Tensor, markers: Tensor) -> Tensor:
        """Compute scores ``(rows, labels)``, in fp32.

        Args:
            states: ``(rows, tokens, width)``.
            markers: Positions of the markers before head and tail, ``(rows, 2)``.
        """
        if self.sizes["states"] == 1:
            return self(states[:, 0])
        rows = torch.arange(len(states), device=states.device).unsqueeze(1)
        return self(states[rows, markers.to(states.device)].flatten(1))


class PrototypeHead(Head):
    """A tagging head that also keeps the prototype of each label, in one or two languages.

    A prototype is a moving average of the states of a label's words. Scores do not depend on
    prototypes. They are buffers, so checkpoints and the module's folder hold them.

    Source: Ge et al. 2023 (ProKD), https://arxiv.org/abs/2301.08855; its constants and its code are
    not public, and the averages are those of the abstract's method as we reconstruct it.

    Args:
        labels: The labels of the scores, in order.
        width: Features of a state.
        scheme: The scheme that joins labels of words to spans.
        prototypes: Number of languages, 1 or 2.

    Attributes:
        prototypes: ``(languages, labels, width)``; zeros where a label was not seen.
        seen: ``(languages, labels)``, 1 where a label was seen, else 0.
    """

    prototypes: Tensor
    seen: Tensor

    def __init__(
        self, labels: Sequence[str], width: int, scheme: Scheme = "bio", *, prototypes: int = 2
    ) -> None:
        super().__init__("tagging", labels, width, scheme)
        self.sizes = {"prototypes": prototypes}
        self.register_buffer("prototypes", torch.zeros(prototypes, len(self.labels), width))
        self.register_buffer("seen", torch.zeros(prototypes, len(self.labels)))

    def move(self, language: int, states: Tensor, labels: Tensor, keep: float) -> Tensor:
        """Move the prototypes of the labels that a batch has, and return all prototypes.

        ``c = keep c + (1 - keep) mean``, with the mean of a label's states in the batch. A new
        label begins at its mean, and the prototype of an absent label stays. The gradient of a
        returned prototype is that of its mean, not ``1 - keep`` of it, which would vanish.

        Args:
            language: Number of the language.
            states: States of words, ``(words, width)``.
            labels: Their labels, ``(words,)``.
            keep: The share of an old prototype that stays.

        Returns:
            ``(labels, width)``.
        """
        means, counts = class_means(states.float(), labels, len(self.labels))
        old, known = self.prototypes[language], self.seen[language].unsqueeze(1) > 0
        there = counts.unsqueeze(1) > 0
        moved = torch.where(known, keep * old + (1 - keep) * means.detach(), means.detach())
        moved = torch.where(there, moved, old)
        self.prototypes[language] = moved
        self.seen[language] = torch.maximum(self.seen[language], (counts > 0).float())
        return moved + torch.where(there, means - means.detach(), 0.0)


class SpanLabelHead(Head):
    """A head that scores spans of words against labels that are texts.

    With ``h`` the states of first tokens and ``g`` the state before a label's text,
    ``s = norm(MLP(h_first))``, ``e = norm(MLP(h_last))``, ``t = MLP(g)``, ``v = MLP([s ; e ;
    width])``; ``s`` and ``e`` have mean 0 and variance 1, ``t`` and ``v`` unit length. The score is
    ``exp(scale) v . t + bias``, and its sigmoid the probability. ``width`` is an embedding of the
    number of tokens from the first word's first token to the last word's.

    Source: the span model of FiNERweb, Golde et al. 2025, https://arxiv.org/abs/2512.13884, and its
    study https://arxiv.org/abs/2601.06347, as reconstructed. The bias is ours: spans of a label are
    rare, and without it the first steps move all scores alike, which can erase the base's states.
    So is the variance of ``s`` and ``e``: of unit length, they were outweighed by the width.

    Args:
        labels: The labels of the training data, as texts.
        width: Features of a state.
        hidden: Features of the networks.
        distance: Features of an embedded width.
        clip: Number of widths, from 0 on; longer spans are not scored.
        apart: 1 if labels are read in rows of their own, 0 if they stand before the sentence.
        prior: The share of right ones among spans and labels, to begin with.
    """

    threshold: Tensor

    def __init__(
        self,
        labels: Sequence[str],
        width: int,
        *,
        hidden: int = 384,
        distance: int = 128,
        clip: int = 30,
        apart: int = 0,
        prior: float = 0.5,
    ) -> None:
        super().__init__(SPANS, labels, hidden)
        self.sizes = {"hidden": hidden, "distance": distance, "clip": clip}
        self.sizes |= {"apart": 1} if apart else {}
        self.linear = nn.Linear(hidden, hidden)
        self.label, self.first, self.last = (nn.Linear(width, hidden) for _ in range(3))
        self.span = nn.Sequential(
            nn.Linear(2 * hidden + distance, hidden), nn.GELU(), nn.Linear(hidden, hidden)
        )
        self.distance = nn.Embedding(clip, distance)
        self.scale_of_scores = nn.Parameter(torch.tensor(math.log(1 / 0.03)))
        self.bias = nn.Parameter(torch.tensor(math.log(prior / (1 - prior))))
        self.register_buffer("threshold", torch.tensor(HALF))

    def label_vectors(self, states: Tensor) -> Tensor:
        """Map the states before labels ``(..., width)`` to vectors of unit length, in fp32."""
        return F.normalize(self.linear(F.gelu(self.label(states.float()))), dim=-1)

    def span_scores(
        self, states: Tensor, texts: Tensor, spans: Sequence[Sequence[tuple[int, int]]]
    ) -> list[Tensor]:
        """Compute the scores of each row's spans, ``(spans, labels)``, in fp32.

        Args:
            states: ``(rows, tokens, width)``.
            texts: The labels' vectors, ``(rows, labels, hidden)``.
            spans: For each row, the positions of the first tokens of a span's first and last word.
        """
        values = states.float()
        inner, _, outer = self.span
        assert isinstance(inner, nn.Linear)
        hidden, distance = self.sizes["hidden"], self.sizes["distance"]
        parts = inner.weight.split([hidden, hidden, distance], 1)
        # the first layer reads a sum: each part is computed once a token or width, not once a span
        first = F.layer_norm(F.gelu(self.first(values)), (hidden,)) @ parts[0].T
        last = F.layer_norm(F.gelu(self.last(values)), (hidden,)) @ parts[1].T
        far = self.distance.weight @ parts[2].T + inner.bias
        scale, made = self.scale_of_scores.exp(), []
        for row, own in enumerate(spans):
            at = torch.tensor(own, device=states.device, dtype=torch.long).reshape(-1, 2)
            begin, end = at.unbind(1)
            joined = F.gelu(first[row, begin] + last[row, end] + far[end - begin])
            found = F.normalize(outer(joined), dim=-1) @ texts[row].T
            made.append(scale * found + self.bias)
        return made


def build_head(
    task: str,
    labels: Sequence[str],
    width: int,
    scheme: Scheme = "bio",
    sizes: Mapping[str, int] | None = None,
    scale: tuple[float, float] | None = None,
) -> Head:
    """Build a new head for a task, of a given kind and given sizes."""
    if task == POINTING:
        return PointerHead(width)
    if task == RELATION:
        return RelationHead(labels, width, **(sizes or {}))
    if task == "arguments":
        return ArgumentHead(labels, width, **(sizes or {}))
    if task == SPANS:
        return SpanLabelHead(labels, width, **(sizes or {}))
    if task == "tagging" and sizes:
        return PrototypeHead(labels, width, scheme, **sizes)
    return Head(task, labels, width, scheme, scale)
