from __future__ import annotations

import os

import pytest
import torch
import two_patient
import two_processes
from forked import together
from safetensors.torch import load_file

from xadapt.core.distributed import DistributedContext
from xadapt.core.files import read_json
from xadapt.training.metrics_log import read_metrics


def test_one_process_is_all():
    one = DistributedContext(cpu=True)
    assert (one.rank, one.world, one.main) == (0, 1, True) and one.share(3) == [0, 1, 2]
    rows = torch.randn(3, 2)
    assert one.gather_rows(rows, 3) is rows and one.total(torch.tensor(2.0)) == 2
    assert one.any(True) and not one.any(False) and one.from_main(lambda: "x") == "x"
    parameter = torch.nn.Parameter(torch.ones(2))
    one.average_gradients([parameter])
    assert parameter.grad is None
    one.wait()


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The same runs by one process and by two."""
    one, two = (tmp_path_factory.mktemp(name) for name in ("one", "two"))
    two_processes.main(one, 1)
    said = together(lambda: two_processes.main(two, 2))
    assert "Warning" not in "".join(said)
    return one, two


@pytest.mark.parametrize("name", sorted(two_processes.runs()))
def test_two_processes_give_what_one_gives(results, name):
    curves = [read_metrics(folder / name / "metrics.jsonl") for folder in results]
    steps = [[row for row in rows if "loss" in row] for rows in curves]
    assert len(steps[0]) == len(steps[1]) > 3
    for one, two in zip(*steps, strict=True):
        keys = [key for key in one if key.startswith("loss")]
        assert [two[key] for key in keys] == pytest.approx([one[key] for key in keys], abs=1e-4)
    assert len(curves[1]) == len(curves[0])  # nothing is written twice
    firsts = [load_file(folder / f"{name}.first.safetensors") for folder in results]
    for key, value in firsts[0].items():  # AdamW would hide a factor
        assert torch.allclose(value, firsts[1][key], atol=1e-6 + 1e-4 * float(value.abs().max())), (
            key
        )
    weights = [load_file(folder / f"{name}.safetensors") for folder in results]
    assert weights[0].keys() == weights[1].keys()
    for key, value in weights[0].items():
        assert torch.allclose(value, weights[1][key], atol=1e-5), key


def test_the_others_wait_for_the_first_however_long_it_works_alone(tmp_path):
    together(lambda: two_patient.main(tmp_path, os.environ["RANK"]))
    first, second = (read_json(tmp_path / f"rank{rank}.json") for rank in (0, 1))
    assert first["slept"] == [0, 0] and second["slept"] == []  # encoding, scoring
    assert first["weights"] == second["weights"]
    assert "waited" not in second["usual"]  # what waits as usual does not wait so long
    assert not (tmp_path / "run" / "activations").exists()
