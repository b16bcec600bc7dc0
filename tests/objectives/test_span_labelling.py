"""Span labelling: spans, negatives and synonyms by hand, a slow twin of the head, and learning."""

from __future__ import annotations

import math
import random

import pytest
import torch
import torch.nn.functional as F
from tiny_models import tiny_encoder
from tiny_training import tagged

from xadapt.backbones.encoder.words import tokenize_words
from xadapt.core.errors import UserError
from xadapt.data.records import TaggedSentence
from xadapt.heads.build import build_head
from xadapt.heads.span_label_head import SpanLabelHead
from xadapt.objectives.contract import States
from xadapt.objectives.span_labelling import SpanLabelling

ROWS = [
    TaggedSentence(("katze", "und", "hund"), ((0, 1, "animal"), (0, 3, "group")), "de"),
    TaggedSentence(("im", "park"), ((1, 2, "place"),), "de"),
    TaggedSentence(("die", "matte"), (), "de"),
]


CONTEXT = ("marks", "spans", "right", "unknown", "lengths")


@pytest.fixture(scope="module")
def encoder():
    return tiny_encoder()


def views(objective, encoder, rows=ROWS, seed=0, memory=None, max_length=48):
    return objective.views(
        rows,
        random.Random(seed),
        memory or objective.prepare(rows),
        encoder.tokenizer,
        lambda sentences: tokenize_words(encoder, sentences),
        max_length,
    )


def read(encoder, row, marks):
    """The label texts before a row, in their order, without spaces."""
    separator = row.index(encoder.tokenizer.sep_token_id)
    ends = [*marks[1:], separator]
    return [
        "".join(encoder.tokenizer.convert_ids_to_tokens(row[begin + 1 : end])).replace("▁", "")
        for begin, end in zip(marks, ends, strict=True)
    ]


def test_labels_of_the_batch_stand_before_every_sentence(encoder):
    found = views(SpanLabelling(), encoder)
    for row in found["text"].rows:
        said = read(encoder, list(row), found["marks"])
        assert sorted(said) == ["animal", "group", "place"]
        assert row[0] == encoder.tokenizer.cls_token_id
        assert row[-1] == encoder.tokenizer.sep_token_id
    orders = {tuple(read(encoder, list(views(SpanLabelling(), encoder, seed=s)["text"].rows[0]),
                         found["marks"][:1])) for s in range(8)}  # fmt: skip
    assert len(orders) > 1, "the labels have another order in another step"


def test_right_spans_and_negatives_by_hand(encoder):
    found = views(SpanLabelling(), encoder)
    said = read(encoder, list(found["text"].rows[0]), found["marks"])
    for record, row, spans, right in zip(
        ROWS, found["text"].rows, found["spans"], found["right"], strict=True
    ):
        starts = [
            at for at, word in enumerate(tokenize_words(encoder, [record.words])[0].owners)
            if word is not None and tokenize_words(encoder, [record.words])[0].first[word] == at
        ]  # fmt: skip
        offset = len(row) - len(tokenize_words(encoder, [record.words])[0].ids)
        n = len(record.words)
        wanted = [(starts[i] + offset, starts[j] + offset) for i in range(n) for j in range(i, n)]
        assert spans == wanted, "every span of neighbouring words"
        told = {(*divmod_of(wanted[span], starts, offset), said[label]) for span, label in right}
        assert told == {(a, b, name) for a, b, name in record.spans}


def divmod_of(span, starts, offset):
    first, last = (starts.index(at - offset) for at in span)
    return first, last + 1


def test_the_loss_by_hand_is_a_sum_over_spans_and_labels(encoder):
    objective = SpanLabelling(hidden=6, distance=4)
    found = views(objective, encoder)
    torch.manual_seed(0)
    head = SpanLabelHead(["x"], 8, hidden=6, distance=4)
    shape = len(found["text"].rows), max(map(len, found["text"].rows)), 8
    states = States(torch.randn(shape), torch.ones(shape[:2]))
    given = {name: found[name] for name in CONTEXT}
    loss = objective.loss(states, **given, heads=head)
    texts = head.label_vectors(states.hidden[:, found["marks"]])
    scored = head.span_scores(states.hidden, texts, found["spans"])
    for value, scores, right, record in zip(loss.values, scored, found["right"], ROWS, strict=True):
        slow = 0.0
        for span in range(len(scores)):
            for label in range(3):
                p = 1 / (1 + math.exp(-float(scores[span, label].detach())))
                slow -= math.log(p if (span, label) in right else 1 - p)
        assert float(value) == pytest.approx(slow / len(record.words), rel=1e-4)


def test_scores_are_those_of_a_slow_loop():
    torch.manual_seed(1)
    head = SpanLabelHead(["x", "y"], 5, hidden=6, distance=4, clip=7, prior=0.1)
    states, marks = torch.randn(2, 9, 5), [1, 3]
    spans = [[(5, 5), (5, 7)], [(4, 8)]]
    assert float(head.bias.detach()) == pytest.approx(math.log(0.1 / 0.9))
    texts = head.label_vectors(states[:, marks].bfloat16())
    found = head.span_scores(states.bfloat16(), texts, spans)
    for row, own in enumerate(spans):
        for place, (first, last) in enumerate(own):
            s, e = (
                F.layer_norm(F.gelu(part(states.bfloat16().float()[row, at])), (6,))
                for part, at in ((head.first, first), (head.last, last))
            )
            joined = torch.cat([s, e, head.distance.weight[last - first]])
            v = F.normalize(head.span(joined), dim=-1)
            for label, mark in enumerate(marks):
                t = head.linear(F.gelu(head.label(states.bfloat16().float()[row, mark])))
                score = v @ F.normalize(t, dim=-1) / 0.03 + math.log(0.1 / 0.9)
                assert float(found[row][place, label]) == pytest.approx(float(score), abs=1e-4)


def test_the_head_is_built_again_from_what_it_says():
    head = SpanLabelHead(["person"], 4, hidden=5, distance=3, clip=6)
    again = build_head(head.task, head.labels, 4, sizes=head.sizes)
    assert type(again) is SpanLabelHead and again.sizes == head.sizes
    again.load_state_dict(head.state_dict())


def test_synonyms_are_one_label_and_never_negatives(encoder):
    groups = (("animal", "katze", "tier"), ("place", "park"))
    objective = SpanLabelling(synonyms=groups)
    rows = [ROWS[1], TaggedSentence(("katze", "hund"), ((0, 1, "katze"), (1, 2, "tier")), "de")]
    memory = objective.prepare(rows)
    assert objective.heads(8, memory).labels == ("animal", "katze", "park", "place", "tier")
    seen = set()
    for seed in range(40):
        found = views(objective, encoder, rows, seed, memory)
        said = read(encoder, list(found["text"].rows[1]), found["marks"])
        assert len(said) == 2, "two groups are two labels"
        seen.update(said)
        [mark] = [i for i, text in enumerate(said) if text in groups[0]]
        assert {label for _, label in found["right"][1]} == {mark} and len(found["right"][1]) == 2
    assert {"animal", "katze", "tier", "place", "park"} == seen, "all texts of a label are trained"


def test_long_sentences_are_cut_and_labels_leave_room(encoder):
    long = TaggedSentence(("katze",) * 60, ((0, 1, "ANIMAL"), (58, 59, "ANIMAL")), "de")
    found = views(SpanLabelling(), encoder, [long, *ROWS], max_length=48)
    assert max(map(len, found["text"].rows)) == 48
    assert len(found["right"][0]) == 1, "the span that was cut off is not asked for"
    assert max(last for _, last in found["spans"][0]) < 47
    many = [TaggedSentence(("katze",), ((0, 1, f"hund park matte {i}"),), "de") for i in range(30)]
    crowd = views(SpanLabelling(), encoder, many, max_length=48)
    assert len(crowd["marks"]) < 24 and max(map(len, crowd["text"].rows)) <= 48
    assert sum(map(len, crowd["right"])) == len(crowd["marks"])
    few = views(SpanLabelling(most=2), encoder, many, max_length=48)
    assert len(few["marks"]) == 2


def test_data_without_spans_and_wrong_options_are_refused():
    with pytest.raises(UserError, match="none of the 1 sentences has a labelled span"):
        SpanLabelling().prepare([ROWS[2]])
    for options, said in (
        ({"clip": 0}, "at least 1"),
        ({"synonyms": (("a", "b"), ("b",))}, "stands twice"),
        ({"synonyms": (("a", " "),)}, "empty"),
    ):
        with pytest.raises(ValueError, match=said):
            SpanLabelling(**options)


def test_the_data_of_the_tests_have_spans():
    assert SpanLabelling().prepare(tagged(8)).texts == {"ANIMAL": ("ANIMAL",)}


def test_labels_of_data_are_read_as_texts_and_the_prior_is_counted():
    rows = [
        TaggedSentence(("a", "b", "c"), ((0, 1, "sports_team"), (1, 3, "PER")), "en"),
        TaggedSentence(("a",), (), "en"),
    ]
    memory = SpanLabelling(synonyms=(("person", "PER"),), clip=2).prepare(rows)
    assert memory.names == {"sports_team": "sports team", "PER": "person"}
    assert memory.prior == 2 / ((2 + 2 + 1 + 1) * 2)  # spans of at most two words, two labels
    head = SpanLabelling(clip=2).heads(8, memory)
    assert float(head.bias.detach()) == pytest.approx(math.log(memory.prior / (1 - memory.prior)))


def test_related_labels_are_no_negatives_on_the_same_span(encoder):
    rows = [TaggedSentence(("katze", "und", "hund"), ((0, 1, "cat"), (2, 3, "animal")), "de")]
    plain, related = (
        SpanLabelling(hidden=6, distance=4),
        SpanLabelling(related=(("animal", "cat", "never seen"),), hidden=6, distance=4),
    )
    losses = []
    for objective in (plain, related):
        found = views(objective, encoder, rows)
        torch.manual_seed(0)
        head = SpanLabelHead(["x"], 8, hidden=6, distance=4)
        head.scale_of_scores.data.zero_()
        states = States(torch.randn(1, len(found["text"].rows[0]), 8), torch.ones(1))
        given = {name: found[name] for name in CONTEXT}
        losses.append(float(objective.loss(states, **given, heads=head).values))
        texts = head.label_vectors(states.hidden[:, found["marks"]])
        scores = head.span_scores(states.hidden, texts, found["spans"])[0].detach()
    assert len(found["unknown"][0]) == 2 and not set(found["unknown"][0]) & set(found["right"][0])
    left_out = sum(float(F.softplus(scores[at])) for at in found["unknown"][0])
    assert losses[0] - losses[1] == pytest.approx(left_out / 3, rel=1e-4)


def test_labels_apart_have_rows_of_their_own(encoder):
    objective = SpanLabelling(apart=True, hidden=6, distance=4)
    found = views(objective, encoder)
    together = views(SpanLabelling(), encoder)
    rows = found["labels"].rows
    assert len(rows) == 3 and found["marks"] == [1]
    assert {read(encoder, list(row), found["marks"])[0] for row in rows} == {
        "animal", "group", "place",
    }  # fmt: skip
    words = tokenize_words(encoder, [record.words for record in ROWS])
    assert [tuple(row) for row in found["text"].rows] == [tuple(own.ids) for own in words]
    assert found["right"] == together["right"]
    assert [[b - a for a, b in own] for own in found["spans"]] == [
        [b - a for a, b in own] for own in together["spans"]
    ]
    torch.manual_seed(0)
    head = objective.heads(8, objective.prepare(ROWS))
    assert head.sizes["apart"] == 1
    states = States(torch.randn(3, 12, 8), torch.ones(3, 12))
    labels = States(torch.randn(3, 6, 8, requires_grad=True), torch.ones(3, 6))
    given = {name: found[name] for name in CONTEXT}
    objective.loss(states, labels=labels, **given, heads=head).total().backward()
    touched = labels.hidden.grad.abs().sum(-1) > 0
    assert touched[:, 1].all() and int(touched.sum()) == 3, "the mark alone is read"


@pytest.mark.parametrize("apart", [False, True])
def test_one_batch_is_learnt_by_heart(encoder, apart):
    """With the frozen states alone, the head learns every span of a batch."""
    objective = SpanLabelling(apart=apart, hidden=32, distance=4)
    rows = tagged(8)
    memory = objective.prepare(rows)
    found = views(objective, encoder, rows, memory=memory)
    read_states = {}
    for name in ("text", "labels") if apart else ("text",):
        ids, mask = encoder.batch(found[name].rows)
        with torch.no_grad():
            hidden = encoder.run(encoder.embed(ids, mask), mask, 0, None)
        read_states[name] = States(hidden, mask)
    torch.manual_seed(0)
    head = objective.heads(encoder.width, memory)
    given = {name: found[name] for name in CONTEXT}
    optimizer = torch.optim.AdamW(head.parameters(), lr=0.01)
    for _ in range(200):
        loss = objective.loss(**read_states, **given, heads=head).total()
        optimizer.zero_grad()
        loss.backward()
        assert all(value.grad.abs().sum() > 0 for value in head.parameters())
        optimizer.step()
    assert float(loss) < 0.05
