from __future__ import annotations

import random
import re
from dataclasses import replace

import pytest
import torch
from tiny_training import plain, tagged, text_pairs, translated_questions
from torch import nn

from xadapt.objectives import contract
from xadapt.objectives.contract import (
    EncodeView,
    FusedView,
    Loss,
    TeacherView,
    View,
    asks_for,
    bank_rows,
    call,
    draws,
    heads_of,
)
from xadapt.objectives.distillation import Distillation
from xadapt.objectives.mlm import MaskedLanguageModelling


def test_total_is_the_weighted_mean_plus_scalars():
    values, weights = torch.tensor([1.0, 2.0, 6.0]), torch.tensor([1.0, 3.0, 0.0])
    assert Loss(values).total().item() == 3
    assert Loss(values, weights).total().item() == 7 / 4
    scalars = {"a": torch.tensor(0.5), "b": torch.tensor(-2.0)}
    assert Loss(values, weights, scalars).total().item() == 7 / 4 - 1.5
    assert Loss(values, torch.zeros(3)).total().item() == 0


def test_call_gives_what_is_named_and_says_what_is_missing():
    def loss(text, step, bank=None):
        return text, step, bank

    assert call(loss, {"text": 1, "step": 2, "other": 3}) == (1, 2, None)
    with pytest.raises(TypeError, match=r"loss asks for \['step'\], which nothing provides"):
        call(loss, {"text": 1})


def test_services_asked_for():
    assert asks_for(MaskedLanguageModelling(), "lm_head")
    assert asks_for(MaskedLanguageModelling(), "tokenizer")
    assert not asks_for(Distillation(), "lm_head")


def test_optional_parts():
    assert heads_of(Distillation(), 4) is None and bank_rows(Distillation(), None) is None

    class WithHeads:
        def heads(self, width):
            return nn.Linear(width, 2)

    assert heads_of(WithHeads(), 4).in_features == 4
    assert contract.options(Distillation()) == {
        "side": "text",
        "distance": "cosine",
        "teacher": "",
    }


def test_a_fused_view_is_whole():
    made = FusedView(["a"], ["b"], (0, 1), layer=2)
    assert made.module is True and made.output == "states" and made.langs is made.second is None
    for rows, pairs, fused, more, said in (
        (["a"], ["b", "c"], (0, 1), {}, "paired_rows holds 2 entries for 1 rows"),
        (["a"], ["b"], (0, 1), {"langs": []}, "langs holds 0 entries for 1 rows"),
        (["a"], ["b"], (2, 1), {}, "0 <= start <= stop"),
        (["a"], ["b"], (-1, 1), {}, "0 <= start <= stop"),
        (["a"], ["b"], (0, 3), {"layer": 2}, "<= layer"),
        (["a"], ["b"], (0, 1), {"output": "pooled"}, "gives states"),
    ):
        with pytest.raises(ValueError, match=re.escape(said)):
            FusedView(rows, pairs, fused, **more)
    for missing in ({"paired_rows": ["b"]}, {"fused": (0, 1)}):
        with pytest.raises(TypeError, match="missing"):
            FusedView(["a"], **missing)


def test_a_teacher_view_names_its_teacher():
    made = TeacherView([(1, 2)], "t", second=[1], output="states", layer=3)
    assert (made.module, made.teacher, made.second, made.langs) == ("t", "t", [1], None)
    with pytest.raises(ValueError, match="second holds 2 entries for 1 rows"):
        TeacherView([(1, 2)], "t", second=[1, 1])
    with pytest.raises(ValueError, match="name of a companion"):
        TeacherView(["a"], "")
    with pytest.raises(TypeError, match="teacher"):
        TeacherView(["a"])


def test_a_view_is_one_of_its_family():
    with pytest.raises(TypeError, match="abstract"):
        View(["a"])
    assert EncodeView(["a"]).module is True and EncodeView(["a"], module=False).module is False
    for wrong in ({"fused": (0, 1)}, {"teacher": "t"}, {"paired_rows": ["b"]}):
        with pytest.raises(TypeError, match="unexpected"):
            EncodeView(["a"], **wrong)


def test_draws_belong_to_the_record_and_the_step():
    records = plain(4)
    one = [d.random() for d in draws(random.Random(1), records)]
    assert [d.random() for d in draws(random.Random(1), records[::-1])] == one[::-1]
    assert [d.random() for d in draws(random.Random(1), records[2:3])] == one[2:3]
    assert [d.random() for d in draws(random.Random(2), records)] != one and len(set(one)) == 4


def test_draws_do_not_depend_on_where_a_record_comes_from():
    records = [*plain(3), *text_pairs(3), *tagged(3), *translated_questions(3)]
    moved = [replace(record, origin=f"elsewhere:{n}") for n, record in enumerate(records)]
    one, two = (
        [own.random() for own in draws(random.Random(1), rows)] for rows in (records, moved)
    )
    assert one == two and len(set(one)) == len(records)


def test_a_row_of_two_segments_says_where_the_second_begins():
    assert EncodeView([(1, 2)], second=[1]).second == [1]
    with pytest.raises(ValueError, match="second holds 2 entries for 1 rows"):
        EncodeView([(1, 2)], second=[1, 1])
    with pytest.raises(ValueError, match="langs holds 1 entries for 2 rows"):
        EncodeView(["a", "b"], langs=["de"])
    with pytest.raises(TypeError, match="second"):
        FusedView([(1, 2)], [(1,)], (0, 1), second=[1])
