"""Modules for a task in the class of transformers for it: the same logits in every library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tiny_folders import TEXTS, manifest_of, random_module
from tiny_models import tiny_folder

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.task_class import MLM, class_of, refuses
from xadapt.core.errors import UserError
from xadapt.heads.argument_head import ArgumentHead
from xadapt.heads.head import Head
from xadapt.hub import merged as merging
from xadapt.hub.folder import write_folder
from xadapt.hub.manifest import Manifest
from xadapt.hub.merged import REPLACED, base_tensors, write_merged
from xadapt.hub.opening import open_folder
from xadapt.integrations import plain, usable, verify
from xadapt.tasks.head_task import with_card

LABELS: dict[str, tuple[str, ...]] = {
    "tagging": ("O", "B-ä", "I-ä"),
    "classification": ("neu", "alt", "ältest", "q"),
    "pair_classification": ("ja", "nein"),
    "multi_label": ("neu", "alt", "q"),
    "span_extraction": ("start", "end"),
    "pair_scoring": ("score",),
    "candidate_ranking": ("score",),
}
FAMILIES = ("bert", "roberta", "xlmr", "deberta-v3", "distilbert")


def opened(path: Path, family: str, **more: Any) -> Encoder:
    return Encoder.from_pretrained(
        str(tiny_folder(path / "base", family, mlm=True, **more)), dtype="float32", device="cpu"
    )


def head_for(encoder: Encoder, task: str) -> Head | None:
    if task == MLM:
        return None
    torch.manual_seed(5)
    scale = (1.0, 5.0) if task == "pair_scoring" else None
    return with_card(Head(task, LABELS[task], encoder.width, scale=scale))


def written(
    path: Path, encoder: Encoder, task: str, kind: str = "lora", **options: Any
) -> tuple[Manifest, dict[str, Any], Any]:
    """A folder with a random module for a task, compared with every library."""
    module = random_module(encoder, kind, **options)
    head = head_for(encoder, task)
    objectives = [MLM] if task == MLM else [task]
    base = encoder.source.location
    checks = verify.callbacks(encoder, module, base, TEXTS, head, objectives)
    made = manifest_of(encoder, module, objectives=objectives)
    done = write_folder(
        path / "out", module, encoder, made, verify=checks, head=head, loaders="all"
    )
    return done, checks, module


@pytest.mark.parametrize("task", [*LABELS, MLM])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_library_gives_the_logits_of_the_task(tmp_path: Path, family: str, task: str) -> None:
    encoder = opened(tmp_path, family)
    module_head = head_for(encoder, task)
    done, checks, module = written(tmp_path, encoder, task, rank=3, alpha=7)
    assert done.loaders["sentence-transformers"].status == "cannot hold"
    # the base's own logits, with the same head, are others: a loader that loads nothing is seen
    nothing = random_module(encoder, "none")
    blind = verify.callbacks(
        encoder, nothing, encoder.source.location, TEXTS, module_head, done.objectives
    )
    for name, reason in usable().items():
        if reason is None and name != "sentence-transformers":
            loader = done.loaders[name]  # type: ignore[index]
            assert loader.status == "verified", (name, loader.reason)
            assert blind[name](tmp_path / "out") > 1e-3
    manifest, tensors = open_folder(tmp_path / "out")
    own = module.state_dict()
    assert manifest.module.file == "adapter_model.safetensors"
    assert tensors.keys() == own.keys()
    assert all(torch.equal(tensors[name], value) for name, value in own.items())
    said = json.loads((tmp_path / "out/adapter_config.json").read_text())
    assert said["task_type"] == {"tagging": "TOKEN_CLS", "span_extraction": "QUESTION_ANS",
                                 MLM: None}.get(task, "SEQ_CLS")  # fmt: skip
    where = tmp_path / "whole"
    found = class_of(encoder, module_head, done.objectives)
    write_merged(where, encoder, module, "# m\n", task=found, difference=checks[verify.MERGED])
    assert blind[verify.MERGED](where) > 1e-3


def test_the_labels_of_the_class_are_the_heads(tmp_path: Path) -> None:
    encoder = opened(tmp_path, "xlmr")
    head = head_for(encoder, "classification")
    task = class_of(encoder, head, [])
    write_merged(tmp_path / "m", encoder, None, "# m\n", task=task)
    config = transformers.AutoConfig.from_pretrained(tmp_path / "m")
    assert config.id2label == dict(enumerate(LABELS["classification"]))
    assert config.problem_type == "single_label_classification"
    assert config.architectures == ["XLMRobertaForSequenceClassification"]


@pytest.mark.parametrize("task", ["classification", "tagging"])
def test_labels_in_another_order_are_seen(tmp_path: Path, task: str) -> None:
    encoder = opened(tmp_path, "bert")
    head, module = head_for(encoder, task), random_module(encoder, "lora")
    assert head is not None
    other = Head(task, head.labels, encoder.width)
    with torch.no_grad():
        other.linear.weight.copy_(head.linear.weight.flip(0))
        other.linear.bias.copy_(head.linear.bias.flip(0))
    base = encoder.source.location
    checks = verify.callbacks(encoder, module, base, TEXTS, head, [task])
    made = manifest_of(encoder, module, objectives=[task])
    done = write_folder(
        tmp_path / "out", module, encoder, made, verify=checks, head=with_card(other)
    )
    tried = {name for name, reason in usable().items() if reason is None}
    for name in tried - {"sentence-transformers"}:
        assert done.loaders[name].status == "cannot hold"  # type: ignore[index]
    with pytest.raises(UserError, match="computes something else"):
        write_merged(tmp_path / "m", encoder, module, "", task=class_of(encoder, other, [task]),
                     difference=checks[verify.MERGED])  # fmt: skip
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("family", ["bert", "modernbert", "m2m100", "t5"])
def test_every_tensor_of_the_base_stays(tmp_path: Path, family: str) -> None:
    path = tiny_folder(tmp_path / "base", family, mlm=family in ("bert", "modernbert"))
    file = path / "model.safetensors"
    extra = {"pooler.dense.weight": torch.randn(3, 3), "something.else": torch.arange(3)}
    save_file({**load_file(file), **extra}, file, metadata={"format": "pt"})
    encoder = Encoder.from_pretrained(str(path), dtype="float32", device="cpu")
    module = random_module(encoder, "lora", sites=("q",))
    write_merged(tmp_path / "m", encoder, module, "# m\n")
    before, after = load_file(file), load_file(tmp_path / "m" / "model.safetensors")
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert len(changed) == encoder.depth


def test_mlm_logits_are_those_of_home(tmp_path: Path) -> None:
    encoder = opened(tmp_path, "xlmr")
    module = random_module(encoder, "lora")
    checks = verify.callbacks(encoder, module, encoder.source.location, TEXTS, None, [MLM])
    write_merged(tmp_path / "m", encoder, module, "# m\n")  # merged with other modules, for vectors
    assert checks[verify.MERGED](tmp_path / "m") < 1e-5


def test_a_tensor_that_the_class_needs_itself_keeps_its_value(tmp_path: Path) -> None:
    encoder = opened(tmp_path, "bert")
    before = base_tensors(encoder.source)
    pooler = {
        "bert.pooler.dense.weight": torch.ones(32, 32),
        "bert.pooler.dense.bias": torch.ones(32),
    }
    file = Path(encoder.source.location) / "model.safetensors"
    save_file({**before, **pooler}, file, metadata={"format": "pt"})
    task = class_of(encoder, head_for(encoder, "classification"), [])
    write_merged(tmp_path / "m", encoder, None, "# m\n", task=task)
    after = load_file(tmp_path / "m" / "model.safetensors")
    for name, value in {**before, **pooler}.items():
        kept = after[f"{REPLACED}.{name}" if name in pooler else name]
        assert torch.equal(kept, value)


@pytest.mark.parametrize("fault", ["lost", "shape"])
def test_a_lost_tensor_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    encoder = opened(tmp_path, "bert")
    real = merging.save_torch_state_dict

    def faulty(tensors: Any, *given: Any, **options: Any) -> None:
        name = next(name for name in tensors if "predictions" in name)
        rest = {key: value for key, value in tensors.items() if key != name}
        real(rest if fault == "lost" else {**rest, name: torch.zeros(2)}, *given, **options)

    monkeypatch.setattr(merging, "save_torch_state_dict", faulty)
    with pytest.raises(UserError, match=r"tensors were not written, such as .*predictions"):
        write_merged(tmp_path / "m", encoder, random_module(encoder, "lora"), "")
    assert not (tmp_path / "m").exists()


def test_shards_are_read_and_a_missing_one_is_told(tmp_path: Path) -> None:
    encoder = opened(tmp_path, "bert")
    module = random_module(encoder, "lora")
    write_merged(tmp_path / "one", encoder, module, "# m\n")
    base = Path(encoder.source.location)
    model = transformers.AutoModelForMaskedLM.from_pretrained(base)
    (base / "model.safetensors").unlink()
    model.save_pretrained(base, max_shard_size="20KB")
    assert len(list(base.glob("model-*.safetensors"))) > 1
    write_merged(tmp_path / "two", encoder, module, "# m\n")
    first, second = (
        transformers.AutoModelForMaskedLM.from_pretrained(tmp_path / name).state_dict()
        for name in ("one", "two")
    )
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    next(base.glob("model-*.safetensors")).unlink()
    with pytest.raises(UserError, match="the base has no file model-"):
        write_merged(tmp_path / "three", encoder, module, "# m\n")


@pytest.mark.parametrize(
    ("family", "head", "said"),
    [
        ("modernbert", "classification", "a layer and a norm before its classifier"),
        ("t5", "tagging", "reads a decoder, or is absent"),
        ("bert", "arguments", "no class with a head for arguments"),
    ],
)
def test_what_no_class_computes_is_said(tmp_path: Path, family: str, head: str, said: str) -> None:
    encoder = Encoder.from_pretrained(str(tiny_folder(tmp_path / "b", family)), dtype="float32")
    made = (
        ArgumentHead(["O", "B-A0"], encoder.width)
        if head == "arguments"
        else Head(head, ("x", "y"), encoder.width)
    )
    assert said in str(refuses(encoder, made)) and class_of(encoder, made, []) is None


def test_a_base_without_the_head_has_no_class_for_mlm(tmp_path: Path) -> None:
    encoder = Encoder.from_pretrained(str(tiny_folder(tmp_path / "b", "bert")), dtype="float32")
    assert class_of(encoder, None, [MLM]) is None


@pytest.mark.adapters
@pytest.mark.skipif(usable()["adapters"] is not None, reason=str(usable()["adapters"]))
def test_an_invertible_language_module_in_adapters(tmp_path: Path) -> None:
    encoder = opened(tmp_path, "xlmr")
    done, _, _ = written(tmp_path, encoder, MLM, "bottleneck", after="ffn", invertible="nice")
    loader = done.loaders["adapters"]
    assert loader.status == "verified", loader.reason


def test_the_class_is_quiet_about_what_it_does_not_use(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    encoder = opened(tmp_path, "bert")
    head = head_for(encoder, "tagging")
    checks = verify.callbacks(
        encoder, random_module(encoder, "none"), encoder.source.location, TEXTS, head, ["tagging"]
    )
    write_merged(tmp_path / "m", encoder, None, "#\n", task=class_of(encoder, head, []))
    capfd.readouterr()
    assert checks[verify.MERGED](tmp_path / "m") < 1e-5
    assert capfd.readouterr() == ("", "")
    assert plain.load_class(tmp_path / "m", class_of(encoder, head, [])).num_labels == 3  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("task", "name"),
    [
        ("tagging", "PeftModelForTokenClassification"),
        ("classification", "PeftModelForSequenceClassification"),
        ("span_extraction", "PeftModelForQuestionAnswering"),
        (MLM, "PeftModel"),
    ],
)
def test_peft_makes_its_class_of_the_task_of_it(tmp_path: Path, task: str, name: str) -> None:
    """Also by the class that follows the base which the settings name."""
    peft = pytest.importorskip("peft")
    encoder = opened(tmp_path, "xlmr")
    done, _, _ = written(tmp_path, encoder, task)
    settings = class_of(encoder, head_for(encoder, task), done.objectives)
    assert settings is not None
    base = encoder.source.location
    model = peft.PeftModel.from_pretrained(plain.load_class(base, settings), tmp_path / "out")
    assert type(model).__name__ == name
    if task == MLM:
        return
    auto = getattr(peft, name.replace("PeftModel", "AutoPeftModel"))
    inputs = encoder.tokenizer(list(TEXTS), padding=True, return_tensors="pt")
    with plain.naming_base(tmp_path / "out", base) as copy:
        other = auto.from_pretrained(copy, **settings.settings).eval()
    kept = {"input_ids": inputs["input_ids"], "attention_mask": inputs["attention_mask"]}
    torch.testing.assert_close(plain.logits(other, kept), plain.logits(model.eval(), kept))
