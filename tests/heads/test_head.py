from __future__ import annotations

import torch

from xadapt.heads.head import ArgumentHead, Head, asked, build_head


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
    ):
        again = build_head(head.task, head.labels, 4, head.scheme, head.sizes)
        assert type(again) is type(head) and again.sizes == head.sizes
        again.load_state_dict(head.state_dict())
