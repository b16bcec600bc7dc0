from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_commands import good, xadapt
from tiny_heads import published
from tiny_models import tiny_folder

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.tasks import Classifier, MultiLabelClassifier, PairClassifier
from xadapt.tasks.run_prediction import predict

TEXTS = ["die katze sitzt", "ein hund", "im park"]


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("predict")
    encoder = Encoder.from_pretrained(str(tiny_folder(folder / "base")), dtype="float32")
    for task in ("classification", "multi_label", "pair_classification"):
        published(folder / task, encoder, task, 2)
    published(folder / "tagging", encoder, "tagging", 2)
    return folder


def answers(there: Path, task: str, data, **more):
    given = {"base": str(there / "base"), "modules": there / task, "dtype": "float32"}
    return list(predict(task, data, **given, **more))


def test_answers_are_those_of_the_predictors(there: Path) -> None:
    load = {"classification": Classifier, "multi_label": MultiLabelClassifier}
    for task, kind in load.items():
        predictor = kind.load(str(there / "base"), there / task, dtype="float32")
        found = answers(there, task, TEXTS)
        assert [one["text"] for one in found] == TEXTS
        key = "label" if task == "classification" else "labels"
        wanted = predictor.classify(TEXTS)
        assert [one[key] for one in found] == (
            wanted if key == "label" else list(map(list, wanted))
        )
        assert list(found[0]["scores"].values()) == pytest.approx(
            predictor.scores(TEXTS)[0].tolist(), abs=1e-5
        )
    pairs = list(zip(TEXTS, TEXTS[1:] + TEXTS[:1], strict=True))
    predictor = PairClassifier.load(
        str(there / "base"), there / "pair_classification", dtype="float32"
    )
    found = answers(there, "pair_classification", pairs)
    assert [one["label"] for one in found] == predictor.classify(pairs)


def test_the_command_writes_a_line_for_each_row(there: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,body,kind\n1,ein hund,x\n2,im park,y\n", encoding="utf-8")
    where = ("--base", there / "base", "--module", there / "multi_label", "--dtype", "float32")
    out = tmp_path / "o.jsonl"
    given = ("predict", "multi_label", *where, "--data", tmp_path / "a.csv", "--out", out)
    done = xadapt(*given)
    assert done.code == 2 and not (tmp_path / "o.jsonl").exists()
    good(*given, "--columns", "body")
    lines = (tmp_path / "o.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["ein hund", "im park"]
    assert xadapt(*given, "--columns", "body").code == 2  # the file is there


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "no row"),
        (["ein hund", "", "im park", "x", "y"], "1 of 5 rows"),
        ([None], "None"),
        ([{"txt": "a"}], "no column for the text"),
    ],
)
def test_no_row_is_left_out_in_silence(there: Path, data, said) -> None:
    with pytest.raises(UserError, match=said):
        answers(there, "classification", data)


def test_a_task_without_such_answers(there: Path) -> None:
    with pytest.raises(UserError, match="tagging has no answers") as fault:
        answers(there, "tagging", TEXTS)
    assert "multi_label" in fault.value.todo
