from __future__ import annotations

import json
import resource
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_folders import manifest_of, random_module, without_hashes
from tiny_models import tiny_encoder

from xadapt.core.errors import UserError
from xadapt.heads.argument_head import ArgumentHead
from xadapt.heads.head import Head
from xadapt.hub import head_files
from xadapt.hub.folder import write_folder
from xadapt.hub.manifest import HeadSpec
from xadapt.hub.opening import open_head, read_manifest
from xadapt.hub.snippets import snippets
from xadapt.tasks.head_task import of_head, with_card

HEADS: dict[str, tuple[list[str], tuple[float, float] | None]] = {
    "tagging": (["O", "B-ä", "I-ä"], None),
    "classification": (["neu", "alt", "ältest"], None),
    "multi_label": (["neu", "alt", "ältest"], None),
    "pair_classification": (["neu", "alt"], None),
    "pair_scoring": (["score"], (0.0, 5.0)),
    "candidate_ranking": (["score"], None),
    "span_extraction": (["start", "end"], None),
}


def folder(
    path: Path, family: str = "bert", kind: str = "lora", task: str = "tagging"
) -> tuple[Head, Path]:
    encoder = tiny_encoder(family)
    module = random_module(encoder, kind)
    torch.manual_seed(1)
    labels, scale = HEADS[task]
    head = with_card(Head(task, labels, encoder.width, scale=scale))
    write_folder(
        path, module, encoder, manifest_of(encoder, module), verify={}, head=head, loaders="all"
    )
    return head, path


@pytest.mark.parametrize("task", HEADS)
def test_a_head_comes_back(tmp_path: Path, task: str) -> None:
    head, path = folder(tmp_path / "m", task=task)
    spec = read_manifest(path).head
    assert spec is not None and (spec.task, spec.labels, spec.scale) == (task, *HEADS[task])
    assert spec.scheme == ("bio" if task == "tagging" else None)
    again = open_head(path, spec, head.linear.in_features)
    assert (again.task, again.scale) == (task, head.scale)
    assert torch.equal(again.linear.weight, head.linear.weight)
    assert torch.equal(again.linear.bias, head.linear.bias) and again.labels == head.labels


def test_the_files_of_adapters_say_the_same(tmp_path: Path) -> None:
    head, path = folder(tmp_path / "m")
    said = json.loads((path / "head_config.json").read_text(encoding="utf-8"))
    assert said["name"] == "tiny-sw" and said["model_class"] == "BertAdapterModel"
    assert said["config"]["label2id"] == {"O": 0, "B-ä": 1, "I-ä": 2}
    tensors = load_file(path / "model_head.safetensors")
    assert torch.equal(tensors["heads.tiny-sw.1.weight"], head.linear.weight)
    packed = torch.load(path / "pytorch_model_head.bin", weights_only=True)
    assert packed.keys() == tensors.keys()


def test_libraries_without_such_a_head_get_no_files_of_it(tmp_path: Path) -> None:
    for family, kind in (("t5", "lora"), ("modernbert", "lora")):
        _, path = folder(tmp_path / family, family, kind)
        assert not any((path / name).exists() for name in head_files.ADAPTERS)
        assert (path / head_files.FILE).exists()


def test_heads_of_adapters_have_its_names(tmp_path: Path) -> None:
    for task, (name, labels) in {
        "classification": ("classification", 3),
        "multi_label": ("multilabel_classification", 3),
        "pair_classification": ("classification", 2),
        "pair_scoring": ("classification", 1),
        "candidate_ranking": ("classification", 1),
        "span_extraction": ("question_answering", 2),
    }.items():
        _, path = folder(tmp_path / task, task=task)
        said = json.loads((path / "head_config.json").read_text(encoding="utf-8"))["config"]
        assert (said["head_type"], said["num_labels"], said["layers"]) == (name, labels, 1)


def test_a_head_written_before_other_tasks_were_known_still_opens(tmp_path: Path) -> None:
    head, path = folder(tmp_path / "m")
    file = path / head_files.FILE
    old = json.dumps({"task": "tagging", "labels": list(head.labels), "scheme": "bio"})
    save_file(load_file(file), file, metadata={"head": old})
    without_hashes(path)
    told = json.loads((path / "xadapt.json").read_text(encoding="utf-8"))
    del told["head"]["scale"]
    (path / "xadapt.json").write_text(json.dumps(told), encoding="utf-8")
    spec = read_manifest(path).head
    assert spec is not None and open_head(path, spec, head.linear.in_features).scheme == "bio"


@pytest.mark.parametrize(
    ("task", "end"),
    [
        ("tagging", "labels = "),
        ("classification", "labels = "),
        ("multi_label", "labels = "),
        ("pair_classification", "labels = "),
        ("pair_scoring", "scores = "),
        ("span_extraction", "answer = "),
    ],
)
def test_the_code_of_the_card_ends_in_what_the_head_says(
    tmp_path: Path, task: str, end: str
) -> None:
    _, path = folder(tmp_path / "m", task=task)
    found = snippets(read_manifest(path))
    assert found.keys() == {"adapters", "peft", "transformers"}
    assert all(code.splitlines()[-1].startswith(end) for code in found.values())
    card = (path / "README.md").read_text(encoding="utf-8")
    assert f"xadapt evaluate {of_head(task).name} --base" in card


@pytest.mark.parametrize("fault", ["absent", "pickle", "link", "labels", "shape", "nan"])
def test_a_head_that_does_not_fit_is_refused(tmp_path: Path, fault: str) -> None:
    head, path = folder(tmp_path / "m")
    spec = read_manifest(path).head
    assert spec is not None
    file, width = path / head_files.FILE, head.linear.in_features
    tensors = {name: value.clone() for name, value in load_file(file).items()}
    said = {"head": spec.model_dump_json()}
    if fault == "absent":
        file.unlink()
    elif fault == "link":
        file.rename(tmp_path / "elsewhere")
        file.symlink_to(tmp_path / "elsewhere")
    elif fault == "pickle":
        torch.save(tensors, file)
    elif fault == "labels":
        other = spec.model_copy(update={"labels": ["O", "B-x", "I-x"]})
        save_file(tensors, file, metadata={"head": other.model_dump_json()})
    elif fault == "shape":
        width += 1
    else:
        tensors["linear.bias"][0] = float("nan")
        save_file(tensors, file, metadata=said)
    with pytest.raises(UserError, match=r"head|safetensors|link"):
        open_head(path, spec, width)


def test_a_head_for_arguments_comes_back_and_is_for_xadapt_alone(tmp_path: Path) -> None:
    encoder = tiny_encoder()
    module = random_module(encoder, "lora")
    head = with_card(ArgumentHead(["O", "B-A0"], encoder.width, hidden=5, distance=3, clip=2))
    made = write_folder(
        tmp_path / "m",
        module,
        encoder,
        manifest_of(encoder, module),
        verify={},
        head=head,
        loaders="all",
    )
    assert made.head is not None and made.head.sizes == {"hidden": 5, "distance": 3, "clip": 2}
    again = open_head(tmp_path / "m", made.head, encoder.width)
    assert isinstance(again, ArgumentHead)
    assert all(torch.equal(v, head.state_dict()[k]) for k, v in again.state_dict().items())
    assert not any((tmp_path / "m" / name).exists() for name in head_files.ADAPTERS)
    assert "no other library" in (tmp_path / "m" / "README.md").read_text(encoding="utf-8")
    other = made.head.model_copy(update={"sizes": {"hidden": 6, "distance": 3, "clip": 2}})
    with pytest.raises(UserError, match="does not fit"):
        open_head(tmp_path / "m", other, encoder.width)


@pytest.mark.parametrize("sizes", [{"hidden": 0}, {"hidden": 10**9}, {"width": 3}, {"clip": "2"}])
def test_sizes_of_a_head_are_bounded(sizes: dict[str, object]) -> None:
    said = {"task": "arguments", "labels": ["O"], "scheme": "bio", "sizes": sizes}
    with pytest.raises(ValueError, match="sizes"):
        HeadSpec.model_validate(said)


def test_sizes_of_a_head_that_its_file_does_not_hold_are_refused_at_once(tmp_path: Path) -> None:
    """2 GB of embedded distances in a file of some bytes."""
    _, path = folder(tmp_path / "m")
    spec = HeadSpec(
        task="arguments",
        labels=["O", "B-A0"],
        scheme="bio",
        sizes={"hidden": 2**14, "distance": 2**14, "clip": 2**14},
    )
    file = path / head_files.FILE
    save_file({"a": torch.zeros(4)}, file, metadata={"head": spec.model_dump_json()})
    without_hashes(path)
    began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match="more here than the 1 tensors of 4 values"):
        open_head(path, spec, 32)
    assert time.process_time() - began < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB
