from __future__ import annotations

from tiny_training import pairs, tagged, trainer

from xadapt.objectives.distillation import Distillation
from xadapt.objectives.tagging import Tagging
from xadapt.objectives.translation_ranking import TranslationRanking
from xadapt.train.frozen_side import encode_frozen
from xadapt.train.tasks import Task


def test_constant_texts_are_encoded_once_and_banks_made(tmp_path):
    rows = pairs(20)
    tasks = [Task("a", TranslationRanking(), rows), Task("b", Distillation(), rows)]
    run = trainer(tmp_path, tasks)
    services = [run._services(0), run._services(1)]
    encode_frozen(tasks, services, run.frozen, run.processes, show=False)
    pivots = list(dict.fromkeys(row.pivot for row in rows))
    assert run.frozen.missing(pivots) == 0 and len(tasks[0].bank.vectors) == len(pivots)
    assert tasks[1].bank is None


def test_an_objective_without_constants_needs_nothing(tmp_path):
    task = Task("t", Tagging(), tagged(6))
    run = trainer(tmp_path, [task])
    encode_frozen([task], [run._services(0)], run.frozen, run.processes, show=False)
    assert task.bank is None
