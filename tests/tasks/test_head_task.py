from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_commands import Done, good, xadapt
from tiny_folders import BASE_ID, base_and_encoder, manifest_of, random_module
from tiny_heads import published
from tiny_models import tiny_encoder, tiny_folder
from tiny_training import labelled, questions, scored

from xadapt import evaluate
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.files import read_json
from xadapt.data.readers.squad import Squad
from xadapt.functional.tag_scheme import decode
from xadapt.heads.head import Head, HeadCard
from xadapt.hub.folder import write_folder
from xadapt.hub.opening import open_head, read_manifest
from xadapt.hub.snippets import snippets
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.tasks.classification import MAJORITY, Classifier, classes
from xadapt.tasks.head_task import with_card
from xadapt.tasks.multi_label import labels_of
from xadapt.tasks.multi_label import probabilities as label_scores
from xadapt.tasks.pair_classification import probabilities as pair_scores
from xadapt.tasks.qa import OVERLAP, AnswerFinder, answers, exact
from xadapt.tasks.sts import scores
from xadapt.tasks.tagging import scores as tag_scores


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base, modules with heads and one without, and data for them."""
    folder = tmp_path_factory.mktemp("assess")
    encoder = Encoder.from_pretrained(str(tiny_folder(folder / "base")), dtype="float32")
    published(folder / "lang", encoder, seed=1)
    published(folder / "classes", encoder, "classification", 2)
    published(folder / "other", encoder, "classification", 7)
    published(folder / "answers", encoder, "span_extraction", 3)
    rows = [f"{row.text}\t{'x' if row.label == 'some' else 'y'}\n" for row in labelled(30, 4)]
    (folder / "test.tsv").write_text("".join(rows), encoding="utf-8")
    lines = [
        {
            "context": row.passage,
            "qas": [
                {
                    "question": row.question,
                    "answers": [{"text": t, "answer_start": s} for s, t in row.answers],
                }
            ],
        }
        for row in questions(20, 4)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "test.jsonl").write_text(text, encoding="utf-8")
    return folder


def command_line(there: Path, task: str, data: str, *more: object) -> Done:
    given = ("--base", there / "base", "--data", there / data, "--dtype", "float32")
    return xadapt("evaluate", task, *given, *more)


def test_classes_as_a_table_and_in_python(there: Path, tmp_path: Path) -> None:
    more = ("--module", there / "classes", "--json", tmp_path / "r.json")
    done = command_line(there, "classification", "test.tsv", *more)
    assert done.code == 0, done.err
    assert "30 texts" in done.out and MAJORITY in done.out and "F1 by class: x" in done.out
    assert all(len(line) <= 80 for line in done.out.splitlines())
    told = read_json(tmp_path / "r.json")
    result = evaluate(
        "classification",
        base=str(there / "base"),
        data=there / "test.tsv",
        modules=[there / "classes"],
        dtype="float32",
    )
    assert told["rows"] == result.to_dict()["rows"] and told["data"] == "test.tsv"
    lines = (there / "test.tsv").read_text(encoding="utf-8").splitlines()
    texts, gold = zip(*(line.split("\t") for line in lines), strict=True)
    classifier = Classifier.load(str(there / "base"), str(there / "classes"), dtype="float32")
    right = [a == b for a, b in zip(classifier.classify(texts), gold, strict=True)]
    assert result["module"].scores["accuracy"].mean == sum(right) / 30


def test_another_composition_beside_it(there: Path) -> None:
    given = [f"{name}={there / name}" for name in ("lang", "classes", "other")]
    result = evaluate(
        "classification",
        base=str(there / "base"),
        data=there / "test.tsv",
        modules=given,
        compose="lang + classes",
        baseline="classes",
        dtype="float32",
    )
    assert [row.system for row in result.rows] == ["baseline", "module", MAJORITY]
    gain = result["module"].gains["accuracy"].mean
    scores = [result[name].scores["accuracy"].mean for name in ("module", "baseline")]
    assert gain == pytest.approx(scores[0] - scores[1])
    both = ("--module", ",".join(given[1:]), "--compose", "classes + other")
    refused = command_line(there, "classification", "test.tsv", *both)
    assert refused.code == 2 and "head=" in refused.err and len(refused.lines) == 1
    done = command_line(there, "classification", "test.tsv", *both, "--head", "other")
    assert done.code == 0, done.err


def test_answers_as_a_table_and_in_python(there: Path, tmp_path: Path) -> None:
    more = ("--module", there / "answers", "--json", tmp_path / "r.json", "--lang", "de")
    done = command_line(there, "qa", "test.jsonl", *more)
    assert done.code == 0, done.err
    assert "20 questions" in done.out and OVERLAP in done.out
    assert all(len(line) <= 80 for line in done.out.splitlines())
    result = evaluate(
        "qa",
        base=str(there / "base"),
        data=there / "test.jsonl",
        modules=[there / "answers"],
        lang="de",
        dtype="float32",
    )
    assert read_json(tmp_path / "r.json")["rows"] == result.to_dict()["rows"]
    rows = list(Squad().read(str(there / "test.jsonl"), "de"))
    finder = AnswerFinder.load(str(there / "base"), str(there / "answers"), dtype="float32")
    found = finder.answer([(row.question, row.passage) for row in rows])
    right = [exact(a.text, row.answers[0][1], "de") for a, row in zip(found, rows, strict=True)]
    assert result["module"].scores["exact match"].mean == pytest.approx(sum(right) / 20)


def test_classes_the_head_lacks_are_told(there: Path, tmp_path: Path) -> None:
    text = (there / "test.tsv").read_text(encoding="utf-8")
    for name, content in (("some", text + "eins\tnew\n"), ("none", text.replace("\tx", "\tq"))):
        (tmp_path / name).write_text(content.replace("\ty", "\tr") if name == "none" else content,
                                     encoding="utf-8")  # fmt: skip
    more = ("--module", there / "classes")
    done = good("evaluate", "classification", "--base", there / "base", "--data",
                tmp_path / "some", *more)  # fmt: skip
    assert "no class new" in done.err
    done = xadapt("evaluate", "classification", "--base", there / "base", "--data",
                  tmp_path / "none", *more)  # fmt: skip
    assert done.code == 2 and "knows none of the data's classes (q, r)" in done.err


@pytest.mark.parametrize(
    ("task", "data", "module", "said"),
    [
        ("qa", "test.jsonl", "classes", "has a head for span_extraction"),
        ("qa", "test.tsv", "answers", "not JSON"),
        ("classification", "test.jsonl", "classes", "no column 'text'"),
        ("classification", "test.tsv", "lang", "none of these modules has a task head"),
        ("tagging", "test.tsv", "classes", "has a head for tagging"),
    ],
)
def test_mistakes_are_one_line(there: Path, task: str, data: str, module: str, said: str) -> None:
    done = command_line(there, task, data, "--module", there / module)
    assert done.code == 2 and said in done.err and len(done.lines) == 1, done.err


@pytest.mark.parametrize("recipe", ["classification", "sts", "qa"])
def test_heads_are_trained_and_judged_by_language(there: Path, tmp_path: Path, recipe: str) -> None:
    """Rows of a language whose choice is the same module train to the same head."""
    pairs = "".join(f"{row.left}\t{row.right}\t{row.score}\n" for row in scored(40))
    (tmp_path / "pairs.tsv").write_text(pairs, encoding="utf-8")
    data = {"classification": there / "test.tsv", "qa": there / "test.jsonl"}
    found = []
    for name, compose in (
        ("plain", f"{there}/lang + self"),
        ("chosen", f"by_language(de = {there}/lang + self, * = self)"),
    ):
        good("train", recipe, "--base", there / "base", "--lang", "de", "--out", tmp_path / name,
             "--data", data.get(recipe, tmp_path / "pairs.tsv"), "--set", "module.rank=2", "--set",
             "dtype=float32", "--set", "train.epochs=1", "--compose", compose)  # fmt: skip
        found.append(load_file(tmp_path / name / "head.safetensors"))
    for key, value in found[0].items():
        torch.testing.assert_close(value, found[1][key], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("recipe", ["classification", "sts", "qa"])
def test_the_shipped_recipe_trains_what_is_then_measured(
    there: Path, tmp_path: Path, recipe: str
) -> None:
    pairs = "".join(f"{row.left}\t{row.right}\t{row.score}\n" for row in scored(40))
    (tmp_path / "pairs.tsv").write_text(pairs, encoding="utf-8")
    data = {"classification": there / "test.tsv", "qa": there / "test.jsonl"}
    given = ("--base", there / "base", "--data", data.get(recipe, tmp_path / "pairs.tsv"))
    done = good("train", recipe, *given, "--lang", "de", "--out", tmp_path / "m", "--set",
                "module.rank=2", "--set", "dtype=float32", "--set", "train.epochs=1",
                "--compose", f"{there}/lang + self")  # fmt: skip
    assert "held-out" in done.out and max(map(len, done.out.splitlines())) <= 80
    manifest = read_manifest(tmp_path / "m")
    assert manifest.head is not None and manifest.trained_inside == ["lang + self"]
    assert {row.task for row in manifest.evidence} == {recipe}
    used = ("--module", f"m={tmp_path}/m", "--compose", f"{there}/lang + m", "--baseline", "m")
    done = good("evaluate", recipe, *given, *used)
    assert "baseline" in done.out and "gain: over baseline" in done.out


LABELS: dict[str, list[str]] = {
    "tagging": ["X", "Y", "Z"],
    "classification": ["x", "y", "z"],
    "multi_label": ["x", "y", "z"],
    "pair_classification": ["x", "y", "z"],
    "pair_scoring": ["score"],
    "span_extraction": ["start", "end"],
}


def ours(encoder: Encoder, head: Head, names: dict[str, Any], acts: Activation) -> Any:
    if head.task == "tagging":
        return decode(tag_scores(encoder, head, [names["words"]], acts)[0], head.labels, "word")
    if head.task == "classification":
        return classes(encoder, head, ["A sentence.", "Another, longer one."], acts)
    texts = ["A sentence.", "Another, longer one."]
    if head.task == "multi_label":
        return list(map(list, labels_of(head, label_scores(encoder, head, texts, acts))))
    if head.task == "pair_classification":
        found = pair_scores(encoder, head, [(names["text"], names["text_pair"])], acts)
        return [head.labels[int(found.argmax())]]
    if head.task == "pair_scoring":
        return scores(encoder, head, [(names["left"], names["right"])], acts).tolist()
    return answers(encoder, head, [(names["question"], names["passage"])], acts)[0].text


@pytest.mark.parametrize("family", ["bert", "xlmr"])
@pytest.mark.parametrize("task", LABELS)
def test_the_printed_code_says_what_we_say(tmp_path: Path, family: str, task: str) -> None:
    pytest.importorskip("peft")
    base, encoder = base_and_encoder(tmp_path, family)
    module = random_module(encoder, "lora")
    torch.manual_seed(4)
    scale = (1.0, 5.0) if task == "pair_scoring" else None
    head = Head(task, LABELS[task], encoder.width, "word", scale)
    if task == "multi_label":
        head.thresholds = (0.4, 0.5, 0.6)
    head = with_card(head)
    made = manifest_of(encoder, module)
    manifest = write_folder(
        tmp_path / "m", module, encoder, made, verify={}, head=head, loaders="all"
    )
    code = snippets(manifest)["peft"].replace(json.dumps(BASE_ID), json.dumps(base))
    names: dict[str, Any] = {}
    exec(code.replace("FOLDER", str(tmp_path / "m")), names)
    said = names[{"pair_scoring": "scores", "span_extraction": "answer"}.get(task, "labels")]
    wanted = ours(encoder, head, names, Activation.of(ActiveAdapter(encoder, module)))
    if task == "pair_scoring":
        assert said.tolist() == pytest.approx(wanted, abs=1e-4)
    else:
        assert said == wanted and said


def test_the_card_of_a_head_says_what_its_task_says(tmp_path: Path) -> None:
    """Texts are read where nothing else is named; labels may be in any script."""
    encoder = tiny_encoder()
    head = with_card(Head("classification", ["ä", "b"], encoder.width))
    assert head.card is not None and head.card.example is None
    made = write_folder(
        tmp_path / "m",
        random_module(encoder, "lora"),
        encoder,
        manifest_of(encoder, random_module(encoder, "lora")),
        verify={},
        head=head,
    )
    code = snippets(made)["peft"]
    assert 'names = ["ä", "b"]' in code and 'tokenizer(["A sentence."' in code
    card = (tmp_path / "m" / "README.md").read_text(encoding="utf-8")
    assert "Its head gives a text one of 2 classes." in card
    assert "xadapt evaluate classification --base someone/tiny-base --module FOLDER" in card
    assert "pipeline_tag: text-classification" in card
    assert made.head is not None
    again = open_head(tmp_path / "m", made.head, encoder.width)
    assert again.card == head.card


def test_a_head_of_no_known_task_is_written_without_code(tmp_path: Path) -> None:
    encoder = tiny_encoder()
    head = with_card(Head("of_a_stranger", ["a", "b"], encoder.width))
    assert head.card is None
    module = random_module(encoder, "lora")
    made = write_folder(
        tmp_path / "m",
        module,
        encoder,
        manifest_of(encoder, module),
        verify={},
        head=head,
        loaders="all",
    )
    assert "# xadapt.tasks reads the head" in snippets(made)["peft"]
    card = (tmp_path / "m" / "README.md").read_text(encoding="utf-8")
    assert "Its head gives 2 scores." in card and "pipeline_tag" not in card


@pytest.mark.parametrize("line", ["```", "a\nb", ""])
def test_a_line_of_a_card_can_not_leave_its_block(line: str) -> None:
    with pytest.raises(ValueError, match="code"):
        HeadCard(evaluate="toy", task_type="other", does="x", code=(line,))
