"""Task heads: small maps from token states, or from a text's vector, to scores of labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

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
