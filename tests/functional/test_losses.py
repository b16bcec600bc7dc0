from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from xadapt.functional.losses import (
    cosent,
    cosine_distance,
    info_nce,
    over_dimensions,
    soft_label_divergence,
    squared_distance,
    token_cross_entropy,
)


def slow_info_nce(queries, keys, targets, temperature, hidden=()):
    out = []
    for i, query in enumerate(queries.tolist()):
        logits = {}
        for j, key in enumerate(keys.tolist()):
            if (i, j) in hidden and j != targets[i]:
                continue
            dot = sum(a * b for a, b in zip(query, key, strict=True))
            logits[j] = dot / math.hypot(*query) / math.hypot(*key) / temperature
        top = max(logits.values())
        out.append(
            top + math.log(sum(math.exp(x - top) for x in logits.values())) - logits[targets[i]]
        )
    return torch.tensor(out)


def test_info_nce_by_hand():
    queries = torch.tensor([[2.0, 0.0]])
    keys = torch.tensor([[5.0, 0.0], [0.0, 3.0]])
    loss = info_nce(queries, keys, torch.tensor([0]), 0.5)  # scores 1/.5 and 0
    assert loss.tolist() == pytest.approx([math.log(1 + math.exp(-2))])
    assert info_nce(queries, keys, torch.tensor([1]), 0.5).item() == pytest.approx(
        math.log(1 + math.exp(2))
    )


@pytest.mark.parametrize("seed", range(5))
def test_info_nce_is_its_slow_twin(seed):
    torch.manual_seed(seed)
    queries, keys = torch.randn(6, 5), torch.randn(9, 5)
    targets = torch.randint(9, (6,))
    rows, columns = torch.randint(6, (20,)), torch.randint(9, (20,))
    hidden = set(zip(rows.tolist(), columns.tolist(), strict=True))
    expected = slow_info_nce(queries, keys, targets.tolist(), 0.1, hidden)
    loss = info_nce(queries, keys, targets, 0.1, (rows, columns))
    assert torch.allclose(loss, expected, atol=1e-5)
    plain = info_nce(queries, keys, targets, 0.1)
    assert torch.allclose(plain, slow_info_nce(queries, keys, targets.tolist(), 0.1), atol=1e-5)
    assert (loss <= plain + 1e-6).all() and (loss < plain - 1e-6).any()


def test_a_target_is_never_hidden():
    queries, keys = torch.randn(3, 4), torch.randn(5, 4)
    targets = torch.tensor([0, 2, 4])
    every = torch.arange(3).repeat_interleave(5), torch.arange(5).repeat(3)
    assert info_nce(queries, keys, targets, 0.05, every).tolist() == pytest.approx([0, 0, 0])


def test_hidden_keys_get_no_gradient_and_targets_do():
    queries, keys = torch.randn(2, 4), torch.randn(3, 4, requires_grad=True)
    hidden = torch.tensor([0, 1]), torch.tensor([2, 2])
    info_nce(queries, keys, torch.tensor([0, 1]), 0.1, hidden).sum().backward()
    assert keys.grad[2].abs().max() == 0 and keys.grad[0].abs().max() > 0


def test_keys_in_bfloat16_stay_close_and_the_loss_is_float32():
    torch.manual_seed(0)
    queries, keys = torch.randn(8, 64), torch.randn(50, 64)
    exact = info_nce(queries, keys, torch.arange(8), 0.05)
    rough = info_nce(queries, keys.bfloat16(), torch.arange(8), 0.05)
    assert rough.dtype == torch.float32
    assert (rough - exact).abs().max() < 0.02 * 20 * 1.5


def test_scale_of_vectors_does_not_matter():
    queries, keys = torch.randn(4, 6), torch.randn(4, 6)
    same = info_nce(queries * 7, keys * 0.01, torch.arange(4), 0.05)
    assert torch.allclose(same, info_nce(queries, keys, torch.arange(4), 0.05), atol=1e-4)


def test_distances_by_hand():
    left, right = torch.tensor([[3.0, 4.0], [1.0, 0.0]]), torch.tensor([[3.0, 4.0], [0.0, 2.0]])
    assert cosine_distance(left, right).tolist() == pytest.approx([0, 1], abs=1e-6)
    assert squared_distance(left, right).tolist() == pytest.approx([0, 2.5])
    assert cosine_distance(left.bfloat16(), -left).dtype == torch.float32
    assert cosine_distance(left, -left).tolist() == pytest.approx([2, 2])


def test_token_cross_entropy_is_a_mean_over_each_records_tokens():
    torch.manual_seed(1)
    logits, labels = torch.randn(5, 7), torch.tensor([1, 0, 6, 3, 3])
    owner = torch.tensor([2, 0, 2, 2, 0])
    values, counts = token_cross_entropy(logits, labels, owner, 4)
    each = [
        -math.log(torch.softmax(row, 0)[label]) for row, label in zip(logits, labels, strict=True)
    ]
    assert counts.tolist() == [2, 0, 3, 0]
    expected = [(each[1] + each[4]) / 2, 0, (each[0] + each[2] + each[3]) / 3, 0]
    assert values.tolist() == pytest.approx(expected, abs=1e-5)
    mean = (values * counts).sum() / counts.sum()
    assert mean.item() == pytest.approx(sum(each) / 5, abs=1e-5)


def test_cosent_by_a_slow_loop():
    torch.manual_seed(0)
    cosines, scores = torch.rand(6), torch.tensor([1.0, 2, 2, 0, 5, 1])
    total = 1.0
    for i in range(6):
        for j in range(6):
            if scores[i] > scores[j]:
                total += math.exp(float(cosines[j] - cosines[i]) / 0.05)
    assert float(cosent(cosines, scores, 0.05)) == pytest.approx(math.log(total), abs=1e-4)
    assert float(cosent(cosines, torch.ones(6), 0.05)) == 0


def test_over_dimensions_is_the_mean_over_cut_vectors():
    vectors = torch.randn(3, 8), torch.randn(3, 8)
    each = [cosine_distance(*(one[:, :n] for one in vectors)) for n in (8, 4, 1)]
    found = over_dimensions(cosine_distance, (8, 4, 1), *vectors)
    assert torch.allclose(found, sum(each) / 3)
    assert torch.equal(over_dimensions(cosine_distance, (), *vectors), each[0])


def test_soft_labels_keep_t_squared_and_sum_over_labels():
    scores, wanted = torch.randn(4, 3), torch.randn(4, 3)
    for t in (0.1, 1.0, 6.0):
        log, target = (scores / t).log_softmax(-1), (wanted / t).softmax(-1)
        by_hand = t * t * F.kl_div(log, target, reduction="batchmean")
        found = soft_label_divergence(scores, wanted, t)
        assert found.shape == (4,) and torch.allclose(found.mean(), by_hand, atol=1e-4)
    assert soft_label_divergence(wanted, wanted, 2.0).abs().max() < 1e-6
