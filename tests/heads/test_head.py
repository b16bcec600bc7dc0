from __future__ import annotations

import torch

from xadapt.heads.argument_head import ArgumentHead, asked
from xadapt.heads.build import build_head
from xadapt.heads.head import Head
from xadapt.heads.prototype_head import PrototypeHead
from xadapt.heads.relation_head import RelationHead


def test_scores_are_a_linear_map_in_fp32():
    head = Head("tagging", ["O", "B-A"], 3, "bio")
    states = torch.randn(2, 5, 3, dtype=torch.bfloat16)
    found = head(states)
    assert found.dtype == torch.float32 and found.shape == (2, 5, 2)
    wanted = states.float() @ head.linear.weight.T + head.linear.bias
    assert torch.allclose(found, wanted, atol=1e-6)
    assert head.labels == ("O", "B-A") and head.scheme == "bio" and head.task == "tagging"


def test_scores_of_arguments_are_those_of_a_slow_loop():
    torch.manual_seed(0)
    head = ArgumentHead(["O", "B-A0", "I-A0"], 4, hidden=5, distance=3, clip=2)
    states = torch.randn(2, 6, 4, dtype=torch.bfloat16)
    queries = [asked(0, [1, 2, 4], 1, 3), asked(1, [1, 2, 3, 5], 0, 1), asked(0, [1, 2, 4], 0, 1)]
    found = head.scores(states, queries)
    slow = []
    for query in queries:
        mean = sum(states[query.row, at].float() for at in query.predicate) / len(query.predicate)
        for at, far in zip(query.at, query.distances, strict=True):
            near = head.distance.weight[max(-2, min(2, far)) + 2]
            row = torch.cat([states[query.row, at].float(), mean, near])
            middle = torch.nn.functional.gelu(head.hidden.weight @ row + head.hidden.bias)
            slow.append(head.linear.weight @ middle + head.linear.bias)
    assert found.dtype == torch.float32 and found.shape == (10, 3)
    assert torch.allclose(found, torch.stack(slow), atol=1e-6)


def test_a_head_is_built_again_from_what_it_says():
    for head in (
        ArgumentHead(["O", "B-A0"], 4, hidden=5, distance=3, clip=2),
        Head("tagging", ["O", "B-A"], 4, "bio"),
        PrototypeHead(["O", "B-A"], 4, "bio", prototypes=1),
    ):
        again = build_head(head.task, head.labels, 4, head.scheme, head.sizes)
        assert type(again) is type(head) and again.sizes == head.sizes
        again.load_state_dict(head.state_dict())


def test_prototypes_are_moving_averages_by_hand():
    head = PrototypeHead(["O", "B-A", "I-A"], 2)
    head.move(0, torch.tensor([[2.0, 0.0], [4.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0, 2]), 0.9)
    assert head.prototypes[0].tolist() == [[3, 0], [0, 0], [0, 1]]  # a new label begins at its mean
    head.move(0, torch.tensor([[13.0, 10.0]]), torch.tensor([0]), 0.9)
    assert torch.allclose(head.prototypes[0], torch.tensor([[4.0, 1.0], [0.0, 0.0], [0.0, 1.0]]))
    assert head.seen.tolist() == [[1, 0, 1], [0, 0, 0]]
    assert not head.prototypes[1].any()  # the other language has its own


def test_a_batch_without_words_moves_nothing():
    head = PrototypeHead(["O", "B-A"], 2)
    head.move(1, torch.ones(1, 2), torch.tensor([1]), 0.5)
    before = head.prototypes.clone()
    found = head.move(1, torch.zeros(0, 2), torch.zeros(0, dtype=torch.long), 0.5)
    assert torch.equal(head.prototypes, before) and torch.equal(found, before[1])
    assert torch.isfinite(found).all()


def test_the_gradient_of_a_prototype_is_that_of_the_batch_mean():
    head = PrototypeHead(["O", "B-A", "I-A"], 2)
    head.move(0, torch.ones(3, 2), torch.tensor([0, 1, 2]), 0.99)
    states = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], requires_grad=True)
    found = head.move(0, states, torch.tensor([1, 1, 0]), 0.99)
    assert torch.allclose(found.detach(), head.prototypes[0])
    found.sum().backward()
    assert states.grad.tolist() == [[0.5, 0.5], [0.5, 0.5], [1, 1]]
    assert not head.prototypes.requires_grad


def test_prototypes_change_no_score():
    torch.manual_seed(0)
    head = PrototypeHead(["O", "B-A"], 4)
    states = torch.randn(3, 4)
    before = head(states)
    head.move(0, states, torch.tensor([0, 1, 1]), 0.5)
    assert torch.equal(head(states), before)


def test_scores_of_relations_are_those_of_a_slow_loop():
    torch.manual_seed(0)
    states = torch.randn(3, 5, 4, dtype=torch.bfloat16)
    markers = torch.tensor([[1, 3], [4, 0], [2, 2]])
    two = build_head("relation", ["x", "y"], 4, sizes={"states": 2})
    assert isinstance(two, RelationHead) and two.sizes == {"states": 2}
    for row, (head, tail) in enumerate(markers.tolist()):
        both = torch.cat([states[row, head], states[row, tail]]).float()
        wanted = two.linear.weight @ both + two.linear.bias
        assert torch.allclose(two.scores(states, markers)[row], wanted, atol=1e-5)
    one = build_head("relation", ["x", "y"], 4, sizes={"states": 1, "types": 1})
    assert one.sizes == {"states": 1, "types": 1}
    assert torch.allclose(one.scores(states, markers), one(states[:, 0]))
