from __future__ import annotations

from importlib import import_module

import pytest

from xadapt import tasks


@pytest.mark.parametrize(
    "name", ["AnswerFinder", "Classifier", "Extractor", "PairScorer", "Tagger"]
)
def test_predictors_are_still_found_at_their_former_place(name: str) -> None:
    former = import_module(".predict", "xadapt")
    assert getattr(former, name) is getattr(tasks, name) and name in former.__all__
