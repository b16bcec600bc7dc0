"""Passage filter: ratings of texts, and which texts are worth keeping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xadapt.backbones.cache.reuse import Kept
from xadapt.backbones.encoder.encode import Rows
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.long_texts import text_windows
from xadapt.composition.values import Composition
from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.core.sequences import as_texts
from xadapt.data.readers.label_columns import as_options
from xadapt.data.records import RatedText
from xadapt.evaluation.comparison import Result, compare
from xadapt.heads.head import RATING, Head
from xadapt.objectives.text_rating import number_of
from xadapt.tasks.head_task import LINEAR, LOAD_HEAD
from xadapt.tasks.label_options import Answer, LabelTask
from xadapt.tasks.predictor import BASELINE, Predictor, first_scores, load_each
from xadapt.tasks.protocol import RESAMPLES, Option, Request, read_rows
from xadapt.tasks.sts import spearman

LENGTH = "length of the text"
LEAST = 3.0
"""The rating from which a passage is kept, on FiNERweb's scale of 1 to 4."""


class TextRater(Predictor):
    """A predictor of ratings by a head over the first token's state; made by `load`."""

    task: ClassVar[str] = RATING

    def rate(
        self,
        texts: Sequence[str],
        languages: str | Sequence[str | None] | None = None,
        *,
        compositions: Composition | Sequence[Composition] = None,
        cache: Kept | None = None,
    ) -> NDArray[np.float32]:
        """Predict the rating of each text, on the scale of the head's data: ``(n,)``.

        Args:
            texts: Any number of texts.
            languages: A tag for each text, or one for all, where the composition chooses by
                language.
            compositions: Another composition for each text, or one for all.
            cache: States below the first module, shared by calls on the same texts.

        Raises:
            UserError: As for `AdaptedEncoder.encode`.
        """
        given = as_texts(texts)
        rows = self.adapted.activations(len(given), languages, compositions, cache)
        with rows.named():
            return ratings(self.adapted.encoder, self.head, given, rows)


def ratings(
    encoder: Encoder, head: Head, texts: Sequence[str], rows: Rows | None = None
) -> NDArray[np.float32]:
    """Predict the rating of each text, ``(n,)``: the head's number, or the expected class.

    The scores of a text longer than the base reads are the mean of those of its windows.

    Args:
        encoder: The encoder.
        head: The head.
        texts: Any number of texts.
        rows: As for `xadapt.backbones.encoder.encode.encode`.
    """
    windows = text_windows(encoder, texts, encoder.tokenize(texts))
    ids, owners = [one.ids for one in windows], [one.owner for one in windows]
    found = first_scores(encoder, head, ids, rows=rows, owners=owners)
    if len(head.labels) > 1:
        values = np.array([float(label) for label in head.labels], np.float32)
        return np.asarray(found.softmax(1).numpy() @ values, dtype=np.float32)
    low, high = head.scale or (0.0, 1.0)
    return np.asarray(low + (high - low) * found[:, 0].numpy(), dtype=np.float32)


class PassageFilter(LabelTask):
    """Rate texts, such as by how useful a passage is to learn named entities from."""

    name: ClassVar[str] = "passage_filter"
    title: ClassVar[str] = (
        "Ratings of texts: Spearman, and F1 of the texts worth keeping; control: their length."
    )
    record: ClassVar[type] = RatedText
    metrics: ClassVar[tuple[str, ...]] = ("spearman", "f1")
    task_type: ClassVar[str] = "text-classification"
    head: ClassVar[str | None] = RATING
    predictor: ClassVar[type[Predictor]] = TextRater
    reader: ClassVar[str] = "rated_text"
    data_help: ClassVar[str] = "Lines of text, tab, rating; or JSON lines of text and rating."
    does: ClassVar[str] = "rates a text"

    def predict(
        self, encoder: Encoder, head: Head, rows: Sequence[RatedText], active: Rows | None = None
    ) -> NDArray[np.float32]:
        """Predict the rating of each text."""
        return ratings(encoder, head, [row.text for row in rows], active)

    def answers(
        self, encoder: Encoder, head: Head, rows: Sequence[Any], active: Rows | None = None
    ) -> list[Answer]:
        """Predict the rating of each text."""
        found = self.predict(encoder, head, rows, active)
        return [
            {"text": row.text, "rating": round(float(own), 4)}
            for row, own in zip(rows, found, strict=True)
        ]

    def measure(
        self,
        request: Request,
        *,
        columns: Annotated[
            str | None, Option("Columns of text and rating, by name or number, such as 2,3.")
        ] = None,
        least: Annotated[float, Option("The rating from which a text is worth keeping.")] = LEAST,
    ) -> Result:
        """Score the head under a composition, and under a baseline if there is one."""
        part, tag = registry.load("readers", self.reader), request.tag
        options = as_options(part, columns)
        rows = read_rows(self.reader, request.data, tag or self.read_as, options=options)
        each = load_each(
            self.predictor,
            request.base,
            request.modules,
            compose=request.compose,
            baseline=request.baseline,
            head=request.head,
            dtype=request.dtype,
        )
        found = self.predict_each(each, rows, None if tag is None else [tag] * len(rows))
        base = BASELINE if BASELINE in each else None
        return self.score(request, rows, found, base, least=least)

    def evaluate(
        self,
        rows: Sequence[RatedText],
        systems: Mapping[str, NDArray[np.float32]],
        *,
        base: Any = None,
        resamples: int = RESAMPLES,
        seed: int = 0,
        least: float = LEAST,
    ) -> Result:
        """Correlate ratings of texts with the right ones, and score which texts are kept.

        A text is kept if its rating, rounded to a whole number, is ``least`` or more. The last row
        rates by the number of characters, and keeps as many of the longest texts as are right: it
        knows their number, which no module does.

        Args:
            rows: The texts; their labels are ratings.
            systems: Ratings by system name, one number a text ``(n,)``.
            base: The system the others are compared with.
            resamples: Number of bootstrap samples over texts.
            seed: Seed of the bootstrap.
            least: The rating from which a text is worth keeping.

        Raises:
            UserError: If there are no texts, a rating is no number, or a system's ratings are not
                one finite number a text.
        """
        if not rows:
            raise UserError("there are no texts to evaluate on")
        gold = np.array([number_of(row) for row in rows])
        columns = {}
        for name, given in {**systems, **self.baselines(rows)}.items():
            own = np.asarray(given, dtype=np.float64)
            if own.shape != gold.shape or not np.isfinite(own).all():
                raise UserError(f"{name} does not give one finite rating a text")
            if name == LENGTH:
                count = int((gold >= least).sum())
                kept = np.argsort(np.argsort(-own, kind="stable")) < count
            else:
                kept = np.floor(own + 0.5) >= least
            columns[name] = {
                "spearman": (gold, own),
                "f1": (gold >= least, kept),
            }
        return compare(
            self.name,
            self.unit,
            columns,
            {"spearman": spearman, "f1": f1},
            facts={"least": least, "worth keeping": int((gold >= least).sum())},
            base=base,
            resamples=resamples,
            seed=seed,
        )

    def baselines(
        self, rows: Sequence[RatedText], **settings: Any
    ) -> dict[str, NDArray[np.float32]]:
        """Return the number of characters of each text, ``(n,)``."""
        return {LENGTH: np.array([len(row.text) for row in rows], np.float32)}

    def oracle(self, rows: Sequence[RatedText]) -> NDArray[np.float32]:
        """Return the right rating of each text."""
        return np.array([number_of(row) for row in rows], np.float32)

    def chance(self, rows: Sequence[RatedText], seed: int = 0) -> NDArray[np.float32]:
        """Draw a rating for each text from the right ratings of all texts."""
        return np.random.default_rng(seed).choice(self.oracle(rows), len(rows))

    def code(self, head: Head) -> list[str]:
        """Return the lines of code from states to ``scores``."""
        scores = f"states[:, 0] @ {LINEAR}"
        if len(head.labels) > 1:
            values = f"torch.tensor([{', '.join(head.labels)}]).float()"
            return [*LOAD_HEAD, f"scores = ({scores}).softmax(1) @ {values}"]
        low, high = head.scale or (0.0, 1.0)
        return [*LOAD_HEAD, f"scores = {low:g} + {high - low:g} * ({scores})[:, 0]"]


def f1(gold: NDArray[np.bool_], found: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Compute the F1 along the last axis, 0 where nothing is right and nothing is kept."""
    both = (gold & found).sum(-1)
    total = gold.sum(-1) + found.sum(-1)
    scores: NDArray[np.float64] = 2 * both / np.maximum(total, 1)
    return scores


Part = PassageFilter()
