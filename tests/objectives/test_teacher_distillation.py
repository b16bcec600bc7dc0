from __future__ import annotations

import pytest
import torch
from tiny_training import pairs, plain, scored, text_pairs

from xadapt.core.errors import UserError
from xadapt.objectives.teacher_distillation import TeacherDistillation


def test_a_line_learns_its_own_vector_and_a_translation_that_of_its_pivot():
    one = TeacherDistillation()
    lines, both = plain(3), pairs(3)
    made = one.views(lines, None, {"query": "q: "})
    assert made["student"].rows == [r.text for r in lines]
    assert made["taught"] == [("", [r.text for r in lines])]
    made = one.views(both, None, {})
    assert made["student"].rows == [r.text for r in both]
    assert made["taught"] == [("", [r.pivot for r in both])]
    assert one.teacher_rows(both + both) == {"": list(dict.fromkeys(r.pivot for r in both))}


def test_a_pair_of_one_language_learns_on_both_sides_with_their_prompts():
    one, rows = TeacherDistillation(), text_pairs(3)
    made = one.views(rows, None, {"query": "q: ", "passage": "p: "})
    assert made["student"].rows == ["q: " + r.anchor for r in rows]
    assert made["passage"].rows == ["p: " + r.positive for r in rows]
    asked = [("query", [r.anchor for r in rows]), ("passage", [r.positive for r in rows])]
    assert made["taught"] == asked  # the teacher has prompts of its own
    assert one.teacher_rows(rows).keys() == {"query", "passage"}


def test_distances_by_hand():
    vectors = {"a": [0.0, 3.0], "b": [2.0, 0.0], "c": [-1.0, 0.0]}

    def teacher(texts, side):
        assert side in ("query", "passage")
        return torch.tensor([vectors[text] for text in texts])

    student, passage = torch.tensor([[1.0, 0.0], [2.0, 0.0]]), torch.tensor([[5.0, 0.0]] * 2)
    one = TeacherDistillation()
    found = one.loss(student, [("query", ["a", "b"])], teacher)
    assert found.values.tolist() == pytest.approx([1, 0], abs=1e-6)
    taught = [("query", ["a", "b"]), ("passage", ["c", "b"])]
    found = one.loss(student, taught, teacher, passage)
    assert found.values.tolist() == pytest.approx([(1 + 2) / 2, 0], abs=1e-6)


def test_other_records_are_refused():
    with pytest.raises(UserError, match="the data holds ScoredPair"):
        TeacherDistillation().prepare(scored(1))
