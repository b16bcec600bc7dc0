"""A task of another package in one file: record, reader, head, objective, and the task itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F

from xadapt.data.records import Record
from xadapt.evaluation.comparison import compare, mean
from xadapt.heads.head import Head
from xadapt.objectives.contract import EncodeView, Loss
from xadapt.tasks.head_task import LINEAR, LOAD_HEAD, HeadTask
from xadapt.tasks.predictor import Predictor, first_scores


@dataclass(frozen=True, slots=True)
class Review(Record):
    """A text, and whether it is good."""

    unit: ClassVar[str] = "reviews"

    text: str
    good: bool
    lang: str

    def split_texts(self) -> tuple[str, ...]:
        """The text."""
        return (self.text,)


class Reviews:
    """Reader of lines: ``+`` or ``-``, then the text."""

    format: ClassVar[str] = "reviews"
    gives: ClassVar[type] = Review

    def claims(self, source: str, request: object) -> bool:
        """No file by its name."""
        return False

    def read(self, source: str, lang: str):
        """Stream the reviews."""
        with Path(source).open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                where = f"{source}:{number}"
                yield Review(line[1:].strip(), line.startswith("+"), lang, origin=where)


@dataclass(frozen=True)
class PolarityLoss:
    """Binary cross-entropy of the first token's state."""

    consumes: ClassVar[type] = Review
    source: ClassVar[str] = "https://example.org"
    coupled: ClassVar[bool] = False

    def heads(self, width: int) -> Head:
        """One score."""
        return Head("polarity", ("good",), width)

    def views(self, records):
        """The texts, and what is right."""
        langs = [record.lang for record in records]
        view = EncodeView([record.text for record in records], output="states", langs=langs)
        return {"text": view, "good": [float(record.good) for record in records]}

    def loss(self, text, good, heads):
        """The loss of each review: ``(n,)``."""
        scores = heads(text.hidden[:, 0])[:, 0]
        target = torch.tensor(good, device=scores.device)
        return Loss(F.binary_cross_entropy_with_logits(scores, target, reduction="none"))


class Critic(Predictor):
    """Reads heads for reviews."""

    task: ClassVar[str] = "polarity"


class Polarity(HeadTask):
    """Whether reviews are good."""

    name = "polarity"
    title = "Whether reviews are good: accuracy, beside always saying so."
    record = Review
    metrics = ("accuracy",)
    task_type = "text-classification"
    head = "polarity"
    predictor = Critic
    reader = "reviews"
    data_help = "Lines of + or -, then a text."
    does = "says whether a review is good"

    def predict(self, encoder, head, rows, active=None):
        """Whether each review is good."""
        ids = encoder.tokenize([row.text for row in rows])
        return (first_scores(encoder, head, ids, rows=active)[:, 0] > 0).tolist()

    def evaluate(self, rows, systems, *, base=None, resamples=1000, seed=0):
        """The share of reviews that are judged rightly."""
        gold = np.array([row.good for row in rows])
        every = {**systems, **self.baselines(rows)}
        right = {name: {"accuracy": [(gold == np.array(own)) * 1.0]} for name, own in every.items()}
        settings = {"base": base, "resamples": resamples, "seed": seed}
        return compare(self.name, self.unit, right, {"accuracy": mean}, **settings)

    def baselines(self, rows):
        """Every review is good."""
        return {"always good": [True] * len(rows)}

    def oracle(self, rows):
        """What is right."""
        return [row.good for row in rows]

    def chance(self, rows, seed=0):
        """A coin."""
        return (np.random.default_rng(seed).random(len(rows)) < 0.5).tolist()

    def code(self, head):
        """Lines of code from states to ``good``."""
        return [*LOAD_HEAD, f"good = (states[:, 0] @ {LINEAR})[:, 0] > 0"]


Part = Polarity
