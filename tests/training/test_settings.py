from __future__ import annotations

from pathlib import Path

from xadapt.config.recipe import TrainSpec
from xadapt.training.settings import Run


def test_a_run_shows_itself_and_keeps_no_cache_unless_told() -> None:
    run = Run(TrainSpec(), Path("x"))
    assert run.show and run.cache is None and run.score is None and run.identity == {}
    assert run.identity is not Run(TrainSpec(), Path("y")).identity
