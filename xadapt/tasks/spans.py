"""Hidden spans: exact match of the span that a [QUE] token points to in the translation.

Source: Chen et al. 2022 (CLISM), https://arxiv.org/abs/2204.05210, section 3.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from xadapt.backbones.encoder.encode import Rows, acting, token_states
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.question_rows import HiddenRow, Span, Template, hidden_row
from xadapt.backbones.encoder.words import tokenize_words
from xadapt.backbones.frames import ActsInForward
from xadapt.core.errors import UserError
from xadapt.data.records import AlignedSpans
from xadapt.evaluation.comparison import Result, compare, ratio_of_sums
from xadapt.heads.head import POINTING, Head
from xadapt.heads.pointer_head import PointerHead
from xadapt.injection.attachment import embedding_table
from xadapt.tasks.head_task import HeadTask
from xadapt.tasks.predictor import Predictor
from xadapt.tasks.protocol import RESAMPLES

EXACT, NEW = "exact match", "exact match, no shared word"
COPY = "copied words"
NOTHING: Span = (0, 0)


class SpanPointer(Predictor):
    """A predictor of the counterparts of hidden spans; made by `load`."""

    task: ClassVar[str] = POINTING


class HiddenSpans(HeadTask):
    """Find the counterpart of each hidden span in the translation."""

    name: ClassVar[str] = "spans"
    title: ClassVar[str] = (
        "Hidden spans: the counterpart in the translation, by a [QUE] token; control: copied words."
    )
    record: ClassVar[type] = AlignedSpans
    metrics: ClassVar[tuple[str, ...]] = (EXACT, NEW)
    head: ClassVar[str | None] = POINTING
    predictor: ClassVar[type[Predictor]] = SpanPointer
    reader: ClassVar[str] = "aligned_spans"
    data_help: ClassVar[str] = "JSON lines with src, tgt and spans; see the reader aligned_spans."
    does: ClassVar[str] = "points from a hidden span to its counterpart in the translation"
    short: ClassVar[Mapping[str, str]] = {NEW: "  no shared word"}

    def predict(
        self,
        encoder: Encoder,
        head: Head,
        rows: Sequence[AlignedSpans],
        active: Rows | None = None,
    ) -> list[list[Span]]:
        """Predict the counterpart of each span, over words; (0, 0) for one that was cut off."""
        return pointed(encoder, head, rows, active)

    def evaluate(
        self,
        rows: Sequence[AlignedSpans],
        systems: Mapping[str, Sequence[Sequence[Span]]],
        *,
        base: Any = None,
        resamples: int = RESAMPLES,
        seed: int = 0,
    ) -> Result:
        """Score the spans of each system; the second measure takes spans without a shared word.

        Raises:
            UserError: If there are no pairs, or a system does not give one span for each.
        """
        if not rows:
            raise UserError("there are no pairs with spans to evaluate on")
        new = [[_differ(row, span) for span in row.spans] for row in rows]
        columns: dict[str, dict[str, Sequence[Any]]] = {}
        for name, found in {**systems, **self.baselines(rows)}.items():
            if [len(own) for own in found] != [len(row.spans) for row in rows]:
                raise UserError(f"{name} does not give one span for each hidden span")
            right = [
                [tuple(one) == there for one, (_, there) in zip(own, row.spans, strict=True)]
                for own, row in zip(found, rows, strict=True)
            ]
            both = [[a and b for a, b in zip(*one, strict=True)]
                    for one in zip(right, new, strict=True)]  # fmt: skip
            columns[name] = {EXACT: [_counts(right), np.array([float(len(one)) for one in right])]}
            if any(map(any, new)):
                columns[name][NEW] = [_counts(both), _counts(new)]
        measures = dict.fromkeys(next(iter(columns.values())), ratio_of_sums)
        return compare(
            self.name, self.unit, columns, measures, base=base, resamples=resamples, seed=seed,
            facts={"spans": sum(len(row.spans) for row in rows),
                   "without_shared_word": int(sum(map(sum, new)))},
        )  # fmt: skip

    def baselines(self, rows: Sequence[AlignedSpans], **settings: Any) -> dict[str, Any]:
        """Find the words of each span in the translation as they are, else no span."""
        return {COPY: [[_copied(row, span) for span, _ in row.spans] for row in rows]}

    def oracle(self, rows: Sequence[AlignedSpans]) -> list[list[Span]]:
        """Return the right counterparts."""
        return [[there for _, there in row.spans] for row in rows]

    def chance(self, rows: Sequence[AlignedSpans], seed: int = 0) -> list[list[Span]]:
        """Draw one word for each span."""
        drawn = np.random.default_rng(seed)
        firsts = [[int(drawn.integers(len(row.text))) for _ in row.spans] for row in rows]
        return [[(at, at + 1) for at in own] for own in firsts]


@contextmanager
def que_known(name: str = "[QUE]") -> Iterator[None]:
    """Turn the fault of an id beyond the vocabulary into an error for the user.

    Args:
        name: What the id stands for.

    Raises:
        UserError: If no active module has a vector for it.
    """
    try:
        yield
    except IndexError:
        raise UserError(
            f"no active module has a vector for {name}",
            where="--compose",
            todo="Compose with the module that was trained with it",
        ) from None


def pointed(
    encoder: Encoder, head: Head, rows: Sequence[AlignedSpans], active: Rows | None = None
) -> list[list[Span]]:
    """Point from each hidden span to words of the translation.

    Args:
        encoder: The encoder.
        head: The pointers.
        rows: Pairs with spans; of the counterparts, only whether they were cut off is read.
        active: The activation of the rows, whose module has the token [QUE].

    Returns:
        For each span ``(first word, one past the last)``; (0, 0) for a span that was cut off.
    """
    assert isinstance(head, PointerHead)
    template, que = Template.of(encoder.tokenizer), embedding_table(encoder).num_embeddings
    pivots = tokenize_words(encoder, [row.pivot for row in rows])
    texts = tokenize_words(encoder, [row.text for row in rows])
    made = [
        hidden_row(pivot, text, row.spans, template, que, encoder.max_length)
        for pivot, text, row in zip(pivots, texts, rows, strict=True)
    ]
    found = [[NOTHING] * len(row.spans) for row in rows]
    asked = [i for i, row in enumerate(made) if row.asked]

    def of_rows(chunk: list[int]) -> ActsInForward | None:
        return acting(active, [asked[i] for i in chunk])

    ids, second = [made[i].ids for i in asked], [made[i].second for i in asked]
    with torch.inference_mode(), que_known():
        for chunk, states in token_states(encoder, ids, second=second, rows=of_rows):
            for position, own in zip(chunk, states, strict=True):
                row = made[asked[position]]
                for number, span in zip(row.spans, _spans(head, row, own), strict=True):
                    found[asked[position]][number] = span
    return found


def _spans(head: PointerHead, row: HiddenRow, states: torch.Tensor) -> list[Span]:
    """Return the best span of each [QUE] among the words of the translation."""
    at = torch.tensor(row.asked, device=states.device)
    scores = head.scores(states[None], torch.zeros_like(at), at)
    begin, end = row.second_part
    logs = scores[:, : len(row.ids)].log_softmax(1)[:, begin:end].cpu()
    spans = []
    for starts, ends in (one.unbind(-1) for one in logs):
        sums = (starts[:, None] + ends[None, :]).numpy()
        sums = np.where(np.triu(np.ones(sums.shape, bool)), sums, -np.inf)
        first, last = np.unravel_index(int(sums.argmax()), sums.shape)
        spans.append((row.words[int(first)], row.words[int(last)] + 1))
    return spans


def _copied(row: AlignedSpans, span: Span) -> Span:
    """Find the words of a span in the translation, without regard to case."""
    wanted = [word.casefold() for word in row.pivot[span[0] : span[1]]]
    words = [word.casefold() for word in row.text]
    size = len(wanted)
    starts = range(len(words) - size + 1)
    return next(((i, i + size) for i in starts if words[i : i + size] == wanted), NOTHING)


def _differ(row: AlignedSpans, pair: tuple[Span, Span]) -> bool:
    """Whether the two sides of a span have no word in common, without regard to case."""
    (start, stop), (first, last) = pair
    ours = {word.casefold() for word in row.pivot[start:stop]}
    return not ours & {word.casefold() for word in row.text[first:last]}


def _counts(values: Sequence[Sequence[bool]]) -> NDArray[np.float64]:
    return np.array([float(sum(own)) for own in values])


Part = HiddenSpans()
