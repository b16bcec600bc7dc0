"""The former place of the predictors, kept for one version: `xadapt.tasks` has them now."""

from __future__ import annotations

from xadapt.tasks.classification import Classifier
from xadapt.tasks.open_ie import Extractor
from xadapt.tasks.qa import AnswerFinder
from xadapt.tasks.sts import PairScorer
from xadapt.tasks.tagging import Tagger

__all__ = ["AnswerFinder", "Classifier", "Extractor", "PairScorer", "Tagger"]
