from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_heads import published
from tiny_models import tiny_folder
from tiny_training import candidate_lists

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.data.records import CandidateList
from xadapt.tasks import CandidateRanker, evaluate
from xadapt.tasks.candidate_ranking import SEARCH, Part

ROWS = [
    CandidateList("a", ("x", "y", "z"), (0.9, 0.5, 0.1), 0, "de"),
    CandidateList("b", ("x", "y", "z"), (0.9, 0.5, 0.1), 2, "de"),
    CandidateList("c", ("x",), (0.9,), -1, "de"),
    CandidateList("d", ("x", "y"), (0.5, 0.5), 0, "de"),
]


def test_scores_by_hand():
    none_wins = [np.array(own) for own in ([3, 2, 1, 9.0], [1, 2, 3, 0], [0, 1], [1, 1, 0])]
    result = Part.evaluate(ROWS, {"m": none_wins}, base=SEARCH, resamples=50)
    own = {name: score.mean for name, score in result["m"].scores.items()}
    assert own == pytest.approx(
        {"answers": 0.5, "R@1": 2 / 3, "R@5": 1, "MRR": (1 + 1 + 2 / 3) / 3}
    )
    search = {name: score.mean for name, score in result[SEARCH].scores.items()}
    assert search == pytest.approx(
        {"answers": 0.25, "R@1": 1 / 3, "R@5": 1, "MRR": (1 + 1 / 3 + 2 / 3) / 3}
    )
    assert result.facts["coverage"] == 0.75
    assert "75.0% have a right candidate" in Part.heading(result)


@pytest.mark.parametrize("wrong", [[np.zeros(4)] * 3, [np.zeros(3)] * 4, [np.full(4, np.nan)] * 4])
def test_scores_that_do_not_fit_are_refused(wrong):
    with pytest.raises(UserError, match="does not give"):
        Part.evaluate(ROWS, {"m": wrong})
    with pytest.raises(UserError, match="no mentions"):
        Part.evaluate([], {})


def test_a_mention_is_ranked_as_alone_and_evaluate_reads_the_file(tmp_path: Path) -> None:
    base = str(tiny_folder(tmp_path / "base"))
    encoder = Encoder.from_pretrained(base, dtype="float32")
    published(tmp_path / "m", encoder, "candidate_ranking", 2)
    ranker = CandidateRanker.load(base, tmp_path / "m", dtype="float32")
    rows = candidate_lists(9)
    lists = [(row.text, row.candidates) for row in rows]
    found = ranker.rank(lists)
    assert [len(own) for own in found] == [5] * 9
    assert all(own.sum() == pytest.approx(1, abs=1e-5) for own in found)
    for one, own in zip(lists, found, strict=True):
        assert np.allclose(ranker.rank([one])[0], own, atol=1e-5)
    turned = ranker.rank([(text, own[::-1]) for text, own in lists])
    for own, other in zip(found, turned, strict=True):
        assert np.allclose(own, [*other[-2::-1], other[-1]], atol=1e-5)
    assert ranker.rank([]) == [] and len(ranker.rank([("katze", [])])[0]) == 1
    result = evaluate("candidate_ranking", base=base, module=str(tmp_path / "m"), data=rows,
                      dtype="float32")  # fmt: skip
    assert result["module"].scores["R@5"].mean == 1
