"""Translation: the directions, the tokens of languages, and the prompt of bases without them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_seq2seq_training import module_of, small, trainer
from tiny_training import pairs

from xadapt.objectives.contract import TargetLosses
from xadapt.objectives.translation import Translation
from xadapt.training.tasks import Task


def made(seq2seq, tmp_path: Path, **options):
    records = pairs(3)
    task = Task("translation", Translation(**options), records)
    run = trainer(tmp_path, seq2seq, [task], module_of(seq2seq))
    services = {**run.of_base.services, "records": records}
    wanted = ("tokenize_sources", "tokenize_targets", "languages_in_words")
    views = task.objective.views(records, *(services[name] for name in wanted))
    shown = {
        name: [seq2seq.tokenizer.decode(list(rows)) for rows in (view.rows[0], view.targets[0])]
        for name, view in views.items()
    }
    return records[0], shown


def test_a_translation_model_reads_and_writes_tokens_of_languages(tmp_path):
    pair, shown = made(small("m2m_100"), tmp_path)
    assert shown == {
        "from_pivot": [f"{pair.pivot} </s>", f"deu_Latn {pair.text} </s>"],
        "to_pivot": [f"{pair.text} </s>", f"eng_Latn {pair.pivot} </s>"],
    }


def test_other_bases_read_a_prompt(tmp_path):
    pair, shown = made(small(), tmp_path, direction="from_pivot", prompt="translate {target} : ")
    assert shown == {"from_pivot": [f"translate German : {pair.pivot} </s>", f"{pair.text} </s>"]}
    assert Translation().prompt_for("en", "sw") == "translate English to Swahili: "


def test_the_loss_is_the_mean_over_the_tokens_of_both_directions():
    one = TargetLosses(torch.tensor([[1.0, 3.0], [2.0, 0.0]]), torch.tensor([[1, 1], [1, 0]]))
    other = TargetLosses(torch.tensor([[8.0], [4.0]]), torch.tensor([[1], [1]]))
    both = Translation().loss(one, other)
    assert both.values.tolist() == [4.0, 3.0] and both.weights.tolist() == [3.0, 2.0]
    assert Translation().loss(from_pivot=one).values.tolist() == [2.0, 2.0]


def test_an_unknown_direction_is_refused():
    from pydantic import ValidationError

    from xadapt.config.recipe import strict

    with pytest.raises(ValidationError):
        strict(Translation).validate_python({"direction": "sideways"})
