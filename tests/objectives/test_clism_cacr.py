"""Every likely mistake of the paper's two objectives, and that all kinds of modules train."""

import random

import pytest
import torch
from pydantic import ValidationError
from tiny_models import VOCAB, tiny_encoder
from tiny_training import digest, module_for, spanned, trainer

from xadapt.backbones.encoder.question_rows import HiddenRow
from xadapt.config.recipe import strict
from xadapt.core.errors import UserError
from xadapt.data.records import AlignedSpans
from xadapt.heads.pointer_head import PointerHead
from xadapt.objectives.clism_cacr import ClismCacr, pointing_loss
from xadapt.objectives.contract import States, asks_for
from xadapt.training.metrics_log import read_metrics
from xadapt.training.tasks import Task
from xadapt.training.tokenized import Tokenized

INNER = {
    "lora": {"kind": "lora", "rank": 2},
    "bottleneck": {"kind": "bottleneck", "width": 4},
    "mixture_of_loras": {"kind": "mixture_of_loras", "experts": 2, "rank": 2},
    "none": {"kind": "none"},
}


def own(encoder, inner="lora"):
    return module_for(encoder, "own_tokens", module=INNER[inner])


def views(objective, records, encoder, seed=0):
    words = Tokenized(encoder).tokenize_words
    return objective.views(
        records, random.Random(seed), encoder.tokenizer, words, VOCAB, encoder.max_length
    )


def row(asked, gold, first=(1, 3), second=(4, 6), tokens=7):
    return HiddenRow(
        tuple(range(tokens)), 4, first, second, asked, gold, tuple(range(len(asked))), (0, 1)
    )


def head_of(start, end):
    head = PointerHead(2)
    with torch.no_grad():
        head.linear.weight.copy_(torch.tensor([*start, *end]))
    return head


IDENTITY, TURN = [[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]


def test_the_pointers_by_hand():
    """s_q = W_s x_q and e_q = W_e x_q; scores are dot products with every token's state."""
    hidden = torch.tensor([[[1.0, 0.0], [0.0, 2.0], [3.0, 1.0]]])
    states = States(hidden, torch.ones(1, 3))
    values, counts = pointing_loss(states, [row((0,), ((1, 2),))], head_of(IDENTITY, TURN))
    start, end = torch.tensor([1.0, 0.0, 3.0]), torch.tensor([0.0, 2.0, 1.0])
    wanted = -start.log_softmax(0)[1] - end.log_softmax(0)[2]
    assert values.item() == pytest.approx(wanted.item()) and counts.tolist() == [1]


def test_padding_has_no_probability():
    hidden = torch.tensor([[[1.0, 0.0], [0.0, 2.0], [9.0, 9.0]]])
    one = States(hidden, torch.tensor([[1, 1, 0]]))
    short = States(hidden[:, :2], torch.ones(1, 2))
    head, asked = head_of(IDENTITY, TURN), [row((0,), ((1, 1),))]
    assert torch.equal(pointing_loss(one, asked, head)[0], pointing_loss(short, asked, head)[0])


def test_several_questions_are_asked_each_with_its_own_state():
    """Their states are never averaged: the loss is the mean of the two alone."""
    torch.manual_seed(0)
    states = States(torch.randn(1, 5, 2), torch.ones(1, 5))
    head = head_of(IDENTITY, TURN)
    alone = [
        pointing_loss(states, [row((q,), (g,))], head)[0] for q, g in ((0, (3, 4)), (1, (4, 4)))
    ]
    both, counts = pointing_loss(states, [row((0, 1), ((3, 4), (4, 4)))], head)
    assert both.item() == pytest.approx((alone[0] + alone[1]).item() / 2) and counts.tolist() == [2]


def test_a_pair_without_a_span_has_no_span_loss_but_agrees():
    states = States(torch.randn(2, 5, 2, requires_grad=True), torch.ones(2, 5))
    values, counts = pointing_loss(
        states, [row((), ()), row((0,), ((3, 4),))], head_of(IDENTITY, TURN)
    )
    assert values[0].item() == 0 and counts.tolist() == [0, 1]
    none, _ = pointing_loss(states, [row((), ())] * 2, head_of(IDENTITY, TURN))
    none.sum().backward()


def test_masking_never_hides_the_question_or_the_answer_and_the_row_alone_is_whole():
    encoder = tiny_encoder("bert", mlm=True)
    objective, records = ClismCacr(probability=0.9), spanned(20)
    made = views(objective, records, encoder)
    hidden = 0
    for number, one in enumerate(made["rows"]):
        shown = made["joint"].rows[number]
        kept = {*one.asked, *(i for a, b in one.gold for i in range(a, b + 1))}
        changed = {i for i, (a, b) in enumerate(zip(shown, one.ids, strict=True)) if a != b}
        picked = {at for owner, at in made["picked"] if owner == number}
        hidden += len(picked)
        assert not kept & picked and changed <= picked
        special = {i for i, t in enumerate(one.ids) if t in encoder.tokenizer.all_special_ids}
        assert not special & picked
    assert hidden > 20
    assert not any(encoder.tokenizer.mask_token_id in ids for ids in made["alone"].rows)
    again = views(objective, records, encoder)
    assert again["joint"].rows == made["joint"].rows


def test_means_are_of_segments_without_special_tokens():
    """Specials and the other segment may be anything."""
    encoder, records = tiny_encoder(), spanned(3)
    objective = ClismCacr(clism=0, mlm=0)
    made = views(objective, records, encoder)

    def loss(change):
        torch.manual_seed(0)
        joint = torch.randn(3, max(len(r.ids) for r in made["rows"]), 4)
        alone = torch.randn(3, max(map(len, made["alone"].rows)), 4)
        for i, one in enumerate(made["rows"]):
            outside = set(range(joint.shape[1])) - set(range(*one.first_part))
            for at in outside - set(range(*one.second_part)):
                joint[i, at] += change
            own = made["pieces"][i]
            for at in set(range(alone.shape[1])) - set(range(*own)):
                alone[i, at] += change
        context = {k: made[k] for k in ("rows", "picked", "labels", "keys", "pieces")}
        masks = torch.ones(joint.shape[:2]), torch.ones(alone.shape[:2])
        return objective.loss(
            joint=States(joint, masks[0]), alone=States(alone, masks[1]), **context
        ).values

    assert torch.allclose(loss(0.0), loss(5.0)) and (loss(0.0) > 0).all()
    ids = made["alone"].rows[0]
    start, stop = made["pieces"][0]
    assert (start, stop) == (1, len(ids) - 1)


def test_consistency_by_hand_and_its_temperature():
    torch.manual_seed(1)
    one, other = torch.randn(2, 3, 4)
    keys = [("a", "x"), ("b", "y"), ("c", "z")]
    cosines = torch.nn.functional.cosine_similarity(one[:, None], other[None], dim=-1)
    for temperature in (0.05, 20.0):
        found = ClismCacr(temperature=temperature)._agreement(one, other, keys)
        assert torch.allclose(found, -(cosines / temperature).log_softmax(1).diagonal(), atol=1e-5)
    # a temperature of 20 is nearly flat: log 3 whatever the vectors
    assert (found - torch.tensor(3.0).log()).abs().max() < 0.11


def test_pairs_that_share_a_sentence_are_no_negatives():
    one, other = torch.randn(2, 3, 4)
    objective = ClismCacr(temperature=1.0)
    plain = objective._agreement(one, other, [("a", "x"), ("b", "y"), ("c", "z")])
    shared = objective._agreement(one, other, [("a", "x"), ("b", "x"), ("c", "z")])
    assert (shared[:2] < plain[:2]).all() and torch.equal(shared[2], plain[2])


def test_every_term_is_logged_and_the_joint_one_can_be_solved_by_leakage(tmp_path):
    """A module of [QUE] alone, with nothing in the layers: what the row itself tells is left."""
    encoder = tiny_encoder("bert", mlm=True)
    run = trainer(
        tmp_path, [Task("c", ClismCacr(), spanned(8))], encoder=encoder,
        module=own(encoder, "none"), evaluations=1, warmup=0.0,
    )  # fmt: skip
    run.train()
    for line in read_metrics(tmp_path / "metrics.jsonl"):
        names = ("clism", "cacr_joint", "cacr_source", "cacr_translation", "mlm")
        terms = [line[f"c/{name}"] for name in names]
        assert all(torch.isfinite(torch.tensor(terms)))
        assert line["c/cacr_joint"] < line["c/cacr_translation"]  # both means saw each other
        assert sum(terms) == pytest.approx(line["loss"], rel=1e-3)


class Stop(Exception):
    """The end of a run before its time."""


def trained(folder, inner, stop=None):
    """The digests of module and pointers after a run, which may be cut and resumed."""
    encoder = tiny_encoder("bert", mlm=True)
    base = digest(encoder.model)

    def run():
        return trainer(
            folder, [Task("c", ClismCacr(), spanned(8))], encoder=encoder,
            module=own(encoder, inner), epochs=2, evaluations=2, learning_rate=1e-2,
        )  # fmt: skip

    one = run()
    before = digest(one.module)
    if stop is not None:
        step = one._step

        def stopping(rates):
            if one.progress.step == stop:
                raise Stop
            return step(rates)

        one._step = stopping
        with pytest.raises(Stop):
            one.train()
        one = run()
    one.train(resume=stop is not None)
    assert digest(one.module) != before and digest(encoder.model) == base
    return digest(one.module), digest(one.trained["heads"])


@pytest.mark.parametrize("inner", ["lora", "bottleneck", "mixture_of_loras"])
def test_it_trains_every_kind_and_a_resumed_run_is_the_same(tmp_path, inner):
    assert trained(tmp_path / "cut", inner, stop=3) == trained(tmp_path / "whole", inner)


def test_the_gradient_reaches_the_question_vector_and_the_pointers(tmp_path):
    encoder = tiny_encoder("bert", mlm=True)
    module = own(encoder)
    run = trainer(tmp_path, [Task("c", ClismCacr(), spanned(8))], encoder=encoder, module=module,
                  evaluations=1, learning_rate=1e-2)  # fmt: skip
    rows, pointers = module.tokens.rows.clone(), digest(run.trained["heads"])
    table = encoder.model.get_input_embeddings().weight.clone()
    run.train()
    assert (module.tokens.rows - rows).abs().max() > 0 and digest(run.trained["heads"]) != pointers
    assert torch.equal(encoder.model.get_input_embeddings().weight, table)


def test_a_module_without_the_token_is_refused_in_one_line(tmp_path):
    encoder = tiny_encoder("bert", mlm=True)
    with pytest.raises(UserError, match="the module has none") as fault:
        trainer(tmp_path, [Task("c", ClismCacr(), spanned(4))], encoder=encoder)
    assert "own_tokens" in fault.value.todo and "\n" not in str(fault.value)


def test_a_base_without_a_language_model_head_needs_mlm_0(tmp_path):
    encoder = tiny_encoder("bert")
    assert asks_for(ClismCacr(), "lm_head") and not asks_for(ClismCacr(mlm=0), "lm_head")
    run = trainer(tmp_path, [Task("c", ClismCacr(mlm=0), spanned(4))], encoder=encoder,
                  module=own(encoder), evaluations=1)  # fmt: skip
    assert run.train().step == 1


def test_parts_can_stand_alone():
    encoder, records = tiny_encoder(), spanned(4)
    alone = views(ClismCacr(cacr=0, mlm=0), records, encoder)
    assert "alone" not in alone and alone["picked"] == []
    assert ClismCacr(clism=0).heads(8) is None and isinstance(ClismCacr().heads(8), PointerHead)


def test_a_copied_name_is_a_span_like_any_other():
    """Names that are spelled alike can be copied: the measure without shared words shows it."""
    encoder = tiny_encoder()
    same = AlignedSpans(("die", "paka"), ("the", "paka"), (((1, 2), (1, 2)),), "de")
    [one] = views(ClismCacr(mlm=0), [same], encoder)["rows"]
    first, last = one.gold[0]
    assert encoder.tokenizer.decode(list(one.ids[first : last + 1])).strip("▁ ") == "paka"
    assert one.ids.count(VOCAB) == 1


@pytest.mark.parametrize(
    "wrong",
    [{"clism": -1.0}, {"clism": 0.0, "cacr": 0.0, "mlm": 0.0}, {"temperature": 0.0},
     {"probability": 1.0}],
)  # fmt: skip
def test_wrong_options_are_refused(wrong):
    with pytest.raises((ValidationError, ValueError)):
        strict(ClismCacr).validate_python(wrong)
