from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import two_evaluators
from tiny_commands import write_tsv
from tiny_heads import published
from tiny_models import tiny_folder
from tiny_tagging import write_conll
from tiny_training import labelled, pairs, questions, scored, tagged

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.shared_forwards import by_first, forwards, is_first, sharing
from xadapt.core.distributed import DistributedContext
from xadapt.core.files import read_json

TESTS = Path(two_evaluators.__file__).parent
LAUNCH = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")


def write_data(folder: Path) -> None:
    """A base, modules and data, of more than one forward each."""
    encoder = Encoder.from_pretrained(str(tiny_folder(folder / "base")), dtype="float32")
    published(folder / "de", encoder, seed=1)
    published(folder / "tags", encoder, "tagging", 2)
    published(folder / "classes", encoder, "classification", 3)
    published(folder / "answers", encoder, "span_extraction", 4)
    write_tsv(folder / "pairs.tsv", pairs(700, seed=5))
    sentences = write_conll(folder / "test.conll", tagged(600, seed=6))
    sentences.write_text(sentences.read_text("utf-8").replace("ANIMAL", "A"), encoding="utf-8")
    classes = {"some": "x", "none": "y"}
    texts = [f"{row.text}\t{classes[row.label]}\n" for row in labelled(1200, 7)]
    (folder / "test.tsv").write_text("".join(texts), encoding="utf-8")
    rows = [
        f"{3 * (row.left + ' ')}\t{3 * (row.right + ' ')}\t{row.score}\n" for row in scored(720, 8)
    ]
    (folder / "scored.tsv").write_text("".join(rows), encoding="utf-8")
    lines = []
    for row in questions(400, 9):
        [(start, text)] = row.answers
        answers = [{"text": text, "answer_start": start}]
        asked = {"question": row.question, "answers": answers}
        lines.append(json.dumps({"context": row.passage, "qas": [asked]}) + "\n")
    (folder / "test.jsonl").write_text("".join(lines), encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process and two say and write, side by side."""
    folder = tmp_path_factory.mktemp("shared")
    write_data(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XADAPT_CACHE", str(folder / "cache-one"))
        patch.setattr(two_evaluators.launched, "WAITS", 0.0)
        two_evaluators.main(folder, folder / "one", 1)
    env = {
        **os.environ,
        "ACCELERATE_USE_CPU": "true",
        "OMP_NUM_THREADS": "1",
        "XADAPT_CACHE": str(folder / "cache-two"),
        "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path]),
    }
    given = (str(TESTS / "two_evaluators.py"), str(folder), str(folder / "two"), "2")
    done = subprocess.run(
        [sys.executable, *LAUNCH, *given], env=env, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Warning" not in done.stderr
    return folder


def said(folder: Path, name: str, rank: int) -> dict[str, Any]:
    """What a process left, without the progress that a slow machine shows."""
    told: dict[str, Any] = read_json(folder / name / f"rank{rank}.json")
    for done in told["said"].values():
        lines = done[2].splitlines(keepends=True)
        done[2] = "".join(line for line in lines if not line.endswith((" ...\n", " left\n")))
    return told


TASKS = [task for task in two_evaluators.COMMANDS if task != "mistake"]


@pytest.mark.parametrize("task", TASKS)
def test_the_first_of_two_processes_tells_and_writes_what_one_does(folder: Path, task: str) -> None:
    one = said(folder, "one", 0)["said"][task]
    first, second = (said(folder, "two", rank)["said"][task] for rank in (0, 1))
    assert one[0] == 0 and first == one and second == [0, "", ""]
    written = [(folder / name / f"{task}.json").read_bytes() for name in ("one", "two")]
    assert written[0] == written[1]
    assert ("no shuffled-pairs control" in one[2]) == (task == "bitext")


def test_a_mistake_is_told_and_nothing_is_written(folder: Path) -> None:
    first, second = (said(folder, "two", rank)["said"]["mistake"] for rank in (0, 1))
    assert first == said(folder, "one", 0)["said"]["mistake"]
    assert first[0] == second[0] == 2 and first[2].startswith("xadapt: ")
    # The launcher ends the second while it gives way; had it not, it would say whose fault it is.
    assert second[2] == first[2].replace("xadapt: ", "xadapt: process 1: ", 1)
    assert not (folder / "two" / "mistake.json").exists()


def test_vectors_and_states_are_bitwise_those_of_one_process(folder: Path) -> None:
    with np.load(folder / "one" / "rank0.npz") as one:
        assert len([name for name in one if name.startswith("chunk")]) > 5
        for rank in (0, 1):
            with np.load(folder / "two" / f"rank{rank}.npz") as two:
                assert set(one) == set(two)
                for name in one:
                    np.testing.assert_array_equal(one[name], two[name])


def test_each_process_computes_a_part(folder: Path) -> None:
    alone, parts = said(folder, "one", 0), [said(folder, "two", rank) for rank in (0, 1)]
    each = [part["forwards"] for part in parts]
    assert max(each) - min(each) <= 3 and min(each) < 0.6 * alone["forwards"]
    assert [part["pieces"] for part in parts] == [2, 1]  # the first alone adds to its disk


def test_other_texts_in_another_process_are_refused_by_all(folder: Path) -> None:
    for rank in (0, 1):
        assert "the processes have different texts" in said(folder, "two", rank)["different"]
    assert said(folder, "one", 0)["different"] == ""


def test_alone_nothing_is_shared() -> None:
    processes = DistributedContext(cpu=True)
    with sharing(processes):
        assert is_first() and by_first(lambda: "x") == "x"
        made = forwards([[1], [2]], [[1], [0]], lambda chunk: torch.ones(1), torch.device("cpu"))
        assert [chunk for chunk, _ in made] == [[1], [0]]
    own = torch.arange(3.0)
    assert processes.from_each("x") == ["x"] and processes.exchange(None) == [None]
    [given] = processes.exchange(own)
    assert given is not None and torch.equal(given, own)
