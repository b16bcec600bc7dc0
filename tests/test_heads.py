from __future__ import annotations

import torch

from xadapt.heads import Head


def test_scores_are_a_linear_map_in_fp32():
    head = Head("tagging", ["O", "B-A"], 3, "bio")
    states = torch.randn(2, 5, 3, dtype=torch.bfloat16)
    found = head(states)
    assert found.dtype == torch.float32 and found.shape == (2, 5, 2)
    wanted = states.float() @ head.linear.weight.T + head.linear.bias
    assert torch.allclose(found, wanted, atol=1e-6)
    assert head.labels == ("O", "B-A") and head.scheme == "bio" and head.task == "tagging"
