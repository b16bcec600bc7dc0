import pytest
import torch
from tiny_models import VOCAB, tiny_encoder
from tiny_training import digest, module_for, questions, trainer

from xadapt.backbones.encoder.pairs import tokenize_windows
from xadapt.core.errors import UserError
from xadapt.heads.head import Head
from xadapt.heads.pointer_head import PointerHead
from xadapt.objectives.contract import States
from xadapt.objectives.span_pointing import SpanPointing
from xadapt.training.settings import Companion
from xadapt.training.tasks import Task


def views(encoder, records, **options):
    def windows(questions, passages, overlap):
        return tokenize_windows(encoder, questions, passages, overlap)

    return SpanPointing(**options).views(
        records, windows, encoder.tokenizer, VOCAB, encoder.max_length
    )


def own(encoder):
    return module_for(encoder, "own_tokens", module={"kind": "lora", "rank": 2})


def test_the_question_token_stands_after_the_question_and_answers_are_found():
    encoder, records = tiny_encoder(), questions(6)
    made = views(encoder, records)
    for record, ids, at, (first, last) in zip(
        records, made["text"].rows, made["at"], made["places"], strict=True
    ):
        assert ids[at] == VOCAB and ids.count(VOCAB) == 1
        answer = encoder.tokenizer.decode(list(ids[first : last + 1])).strip("▁ ")
        assert answer == record.answers[0][1] and first > at


def test_the_loss_by_hand():
    head = PointerHead(2)
    with torch.no_grad():
        head.linear.weight.copy_(torch.tensor([[1.0, 0], [0, 1], [0, 1], [1, 0]]))
    hidden = torch.tensor([[[1.0, 0.0], [0.0, 2.0], [3.0, 1.0]]])
    loss = SpanPointing().loss(States(hidden, torch.ones(1, 3)), [0], [0], [(1, 2)], head)
    start, end = torch.tensor([1.0, 0.0, 3.0]), torch.tensor([0.0, 2.0, 1.0])
    wanted = -(start.log_softmax(0)[1] + end.log_softmax(0)[2]) / 2
    assert loss.values.item() == pytest.approx(wanted.item())


def test_it_starts_from_the_pointers_of_a_companion_and_leaves_them(tmp_path):
    encoder = tiny_encoder()
    head, other = PointerHead(encoder.width), own(encoder)
    before = digest(head)
    objective = SpanPointing(start_from="clism")
    run = trainer(
        tmp_path, [Task("q", objective, questions(8))], encoder=encoder, module=own(encoder),
        companions={"clism": Companion(other, head)}, evaluations=1, learning_rate=1e-2,
    )  # fmt: skip
    assert digest(run.trained["heads"]["0"]) == before
    run.train()
    assert digest(run.trained["heads"]["0"]) != before and digest(head) == before


def test_a_missing_companion_or_another_head_is_one_line(tmp_path):
    encoder = tiny_encoder()
    objective = SpanPointing(start_from="clism")
    task = Task("q", objective, questions(4))
    with pytest.raises(UserError, match="'clism', which is missing"):
        trainer(tmp_path, [task], encoder=encoder, module=own(encoder))
    linear = Companion(own(encoder), Head("span_extraction", ("start", "end"), encoder.width))
    with pytest.raises(UserError, match="has no pointers"):
        trainer(
            tmp_path, [task], encoder=encoder, module=own(encoder), companions={"clism": linear}
        )


def test_without_a_companion_pointers_are_new_and_a_lora_alone_is_refused(tmp_path):
    encoder = tiny_encoder()
    task = Task("q", SpanPointing(), questions(4))
    run = trainer(tmp_path, [task], encoder=encoder, module=own(encoder), evaluations=1)
    assert run.train().step == 1
    with pytest.raises(UserError, match="the module has none"):
        trainer(tmp_path, [task], encoder=encoder)


def test_a_wrong_overlap_is_refused():
    with pytest.raises(ValueError, match="overlap"):
        SpanPointing(overlap=-1)
