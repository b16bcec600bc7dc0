"""Adapters of other libraries, made by the real ones: taken exactly, or refused in one line."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import zipfile
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from foreign_adapters import adapters_folder, peft_folder, settings
from local_hub import LocalHub
from safetensors.torch import load_file, save_file
from tiny_commands import everything, good, xadapt
from tiny_folders import TEXTS, base_and_encoder, own_states

import xadapt as package
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.hub.manifest import Manifest
from xadapt.hub.opening import open_head, read_manifest
from xadapt.inference.adapted_encoder import AdaptedEncoder
from xadapt.inference.open_module import open_module
from xadapt.integrations import adapters as adapters_bridge
from xadapt.pipelines.import_module import ImportedModule

peft = pytest.importorskip("peft")
needs_adapters = pytest.mark.skipif(
    adapters_bridge.available() is not None, reason=str(adapters_bridge.available())
)
Base = tuple[str, Encoder]


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Base]:
    folder = tmp_path_factory.mktemp("bases")
    names = ("bert", "distilbert", "deberta-v3", "modernbert", "t5")
    return {name: base_and_encoder(folder / name, name) for name in names}


@pytest.fixture(scope="module")
def base(bases: dict[str, Base]) -> Base:
    return bases["bert"]


@pytest.fixture(scope="module")
def plain_lora(base: Base, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return peft_folder(tmp_path_factory.mktemp("peft") / "plain", base[0])


def imported(source: Path, base: Base, out: Path, **more: Any) -> ImportedModule:
    return package.import_module(source, base=base[0], out=out, loaders="none", **more)


def verified(made: ImportedModule) -> Manifest:
    """The manifest, if its own library computed the same states."""
    origin = made.manifest.origin
    assert origin is not None and origin.max_difference is not None, made.notes
    assert origin.max_difference <= 1e-5 and origin.compared_with
    return made.manifest


PEFT: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ("bert", {}),
    "rsLoRA": ("bert", {"use_rslora": True, "lora_alpha": 7}),
    "rank and alpha patterns": (
        "bert",
        {"rank_pattern": {"layer.1.*query": 2, "output.dense": 6}, "alpha_pattern": {"value": 3}},
    ),
    "a regex": ("bert", {"target_modules": r".*layer\.[02]\..*(query|key|intermediate\.dense)"}),
    "all linears": ("bert", {"target_modules": "all-linear"}),
    "all but some": ("bert", {"target_modules": ["dense"], "exclude_modules": ["pooler.dense"]}),
    "some layers": ("bert", {"layers_to_transform": [0, 3], "layers_pattern": "layer"}),
    "one layer": ("bert", {"layers_to_transform": 2}),
    "fan in fan out": ("bert", {"fan_in_fan_out": True}),
    "gaussian": ("bert", {"init_lora_weights": "gaussian"}),
    "orthogonal": ("bert", {"init_lora_weights": "orthogonal"}),
    "fused linears": ("modernbert", {"target_modules": ["Wqkv", "Wo"]}),
    "t5": ("t5", {"target_modules": ["q", "v", "wo"]}),
    "distilbert": ("distilbert", {"target_modules": ["q_lin", "lin1"]}),
    "deberta": ("deberta-v3", {"target_modules": ["query_proj", "value_proj"]}),
}


@pytest.mark.parametrize("case", PEFT)
def test_loras_of_peft_are_taken_exactly(bases: dict[str, Base], tmp_path: Path, case: str) -> None:
    family, config = PEFT[case]
    source = peft_folder(tmp_path / "peft", bases[family][0], **config)
    made = imported(source, bases[family], tmp_path / "m")
    manifest = verified(made)
    assert manifest.module.kind == "lora" and manifest.origin.library == "peft"  # type: ignore[union-attr]
    assert manifest.origin.version == peft.__version__  # type: ignore[union-attr]
    assert ("pooler is left out" in " ".join(made.notes)) == (case == "all linears")


def test_the_tensors_of_a_uniform_lora_stay_bitwise(
    base: Base, plain_lora: Path, tmp_path: Path
) -> None:
    made = imported(plain_lora, base, tmp_path / "m")
    before = load_file(plain_lora / "adapter_model.safetensors")
    after = load_file(made.folder / made.manifest.module.file)
    own = {v.numpy().tobytes() for v in after.values()}
    assert {v.numpy().tobytes() for v in before.values()} == own
    assert made.manifest.module.options["rank"] == 4


TASKS: dict[str, tuple[str, str, str]] = {
    "classifier": ("AutoModelForSequenceClassification", "SEQ_CLS", "classifier is left out"),
    "masked words": ("AutoModelForMaskedLM", "FEATURE_EXTRACTION", ""),
    "words without labels": ("AutoModelForTokenClassification", "TOKEN_CLS", "--labels"),
    "answers": ("AutoModelForQuestionAnswering", "QUESTION_ANS", ""),
}


@pytest.mark.parametrize("family", ["bert", "distilbert"])
@pytest.mark.parametrize("case", TASKS)
def test_loras_of_task_models_are_taken_and_their_heads_told(
    bases: dict[str, Base], tmp_path: Path, case: str, family: str
) -> None:
    loader, task, said = TASKS[case]
    target = ["query", "value"] if family == "bert" else ["q_lin", "lin2"]
    source = peft_folder(
        tmp_path / "peft", bases[family][0], loader, task_type=task, target_modules=target
    )
    made = imported(source, bases[family], tmp_path / "m")
    verified(made)
    assert said in " ".join(made.notes)
    assert (made.manifest.head is not None) == (case == "answers")


def test_a_token_classifier_with_labels_gives_the_same_logits(base: Base, tmp_path: Path) -> None:
    import transformers
    from peft import PeftModel

    source = peft_folder(
        tmp_path / "p", base[0], "AutoModelForTokenClassification", task_type="TOKEN_CLS"
    )
    labels = ["O", "B-A", "I-A"]
    made = imported(source, base, tmp_path / "m", labels=labels)
    module, manifest = open_module(str(made.folder), base[1])
    assert manifest.head is not None and manifest.head.labels == labels
    head = open_head(made.folder, manifest.head, base[1].width)
    ids, mask, states = own_states(base[1], [module])
    whole = transformers.AutoModelForTokenClassification.from_pretrained(base[0], num_labels=3)
    model = PeftModel.from_pretrained(whole, str(source)).eval()
    with torch.no_grad():
        theirs = model(input_ids=ids, attention_mask=mask).logits
        ours = head(states)
    real = mask.bool()
    assert torch.allclose(theirs[real], ours[real], atol=1e-5)
    with pytest.raises(UserError, match=r"\(3, 32\) in the file and \(2, 32\)"):
        imported(source, base, tmp_path / "n", labels=["O", "A"])


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "DoRA": ({"use_dora": True}, "use_dora is set: DoRA"),
    "biases": ({"bias": "all"}, "bias is 'all'"),
    "LoRA with a bias": ({"lora_bias": True}, "lora_bias is set"),
    "PiSSA": ({"init_lora_weights": "pissa"}, "init_lora_weights is 'pissa'.*Convert it"),
    "OLoRA": ({"init_lora_weights": "olora"}, "init_lora_weights is 'olora'"),
    "tokens": ({"trainable_token_indices": [3, 4]}, "trainable_token_indices is set"),
    "embeddings": ({"target_modules": ["query", "word_embeddings"]}, "no linear of the encoder"),
    "saved modules": ({"modules_to_save": ["LayerNorm"]}, "no linear of the encoder"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_plain_lora_is_refused(base: Base, tmp_path: Path, case: str) -> None:
    config, said = REFUSED[case]
    source = peft_folder(tmp_path / "peft", base[0], **config)
    refused(source, base, tmp_path / "m", said)


def refused(source: Path, base: Base, out: Path, said: str, **more: Any) -> None:
    with pytest.raises(UserError, match=said) as caught:
        imported(source, base, out, **more)
    assert "\n" not in str(caught.value) and not out.exists()


HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "another kind": ({"peft_type": "IA3"}, "of type 'IA3'"),
    "no kind": ({"peft_type": ...}, "neither peft"),
    "an unknown setting": ({"use_wonder": True}, "'use_wonder' of peft is not known"),
    "a rank that is a text": ({"r": "4"}, "r is '4'"),
    "a rank of a million": ({"r": 10**6}, "r is '1000000'"),
    "another rank": ({"r": 8}, r"is \(4, 32\) in the file and \(8, 32\)"),
    "an alpha that is a list": ({"lora_alpha": [1]}, "lora_alpha is"),
    "no targets": ({"target_modules": None}, "target_modules is missing"),
    "fewer targets": ({"target_modules": ["query"]}, "has no place in this base"),
    "more targets": ({"target_modules": ["query", "key", "value", "output.dense"]}, "is missing"),
    "a broken pattern": ({"target_modules": "((("}, "can't be used"),
    "a slow pattern": ({"target_modules": "(a+)+$"}, "may take time"),
    "patterns of lists": ({"rank_pattern": [1]}, "rank_pattern is no object"),
    "layers of texts": ({"layers_to_transform": ["x"]}, "no layer"),
    "another base": ({"base_model_name_or_path": "org/other"}, "was trained on other, and"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_settings_that_lie_are_refused(
    base: Base, plain_lora: Path, tmp_path: Path, case: str
) -> None:
    changes, said = HOSTILE[case]
    source = Path(shutil.copytree(plain_lora, tmp_path / "peft"))
    more = {"base_id": "org/this"} if case == "another base" else {}
    refused(settings(source, **changes), base, tmp_path / "m", said, **more)


def test_files_that_lie_are_refused(base: Base, plain_lora: Path, tmp_path: Path) -> None:
    out = tmp_path / "m"
    source = Path(shutil.copytree(plain_lora, tmp_path / "peft"))
    config, weights = source / "adapter_config.json", source / "adapter_model.safetensors"
    good_config, tensors = config.read_text(), load_file(weights)
    name = next(iter(tensors))
    tenth = "base_model.model.encoder.layer.9.attention.self.query.lora_A.weight"
    for text, said in (
        ("[]", "no JSON object"),
        ("{", "not JSON"),
        ('{"r": 1, "r": 2}', "twice"),
        ('{"r": NaN}', "JSON"),
    ):
        config.write_text(text)
        refused(source, base, out, said)
    config.write_text(good_config)
    for changed, said in (
        ({name: tensors[name] * float("nan")}, "is not finite"),
        ({name: tensors[name][:, :5].contiguous()}, "in the file and"),
        ({name: tensors[name].long()}, "of type torch.int64"),
        ({tenth: tensors[name].clone()}, "no linear of the encoder"),
    ):
        save_file({**tensors, **changed}, weights)
        refused(source, base, out, said)
    save_file({key: value for key, value in tensors.items() if key != name}, weights)
    refused(source, base, out, "is missing")
    header = json.dumps({"x": {"dtype": "F32", "shape": [2**40, 2**20], "data_offsets": [0, 4]}})
    raw = len(header).to_bytes(8, "little") + header.encode() + b"\\0" * 4
    weights.write_bytes(raw)
    refused(source, base, out, "this is no safetensors file")
    weights.unlink()
    refused(source, base, out, "has no adapter_model.safetensors")
    weights.symlink_to("/etc/passwd")
    refused(source, base, out, "link that leaves")
    refused(tmp_path / "none", base, out, "no such folder|Hub")
    shutil.rmtree(source)
    source.mkdir()
    refused(source, base, out, "no file adapter_config.json")


@needs_adapters
class TestAdapters:
    """Adapters of AdapterHub's formats."""

    CONFIGS: ClassVar[dict[str, tuple[str, Any]]] = {
        "Pfeiffer": ("bert", "seq_bn"),
        "Pfeiffer at both": ("bert", ("seq_bn", {"mh_adapter": True, "leave_out": [1]})),
        "Houlsby": ("bert", "double_seq_bn"),
        "parallel": ("bert", "par_bn"),
        "MAD-X": ("bert", "seq_bn_inv"),
        "Houlsby with a map": ("distilbert", "double_seq_bn_inv"),
        "Pfeiffer on DistilBERT": ("distilbert", ("seq_bn", {"mh_adapter": True})),
        "Pfeiffer on DeBERTa": ("deberta-v3", ("seq_bn", {"mh_adapter": True})),
        "Houlsby on T5": ("t5", ("double_seq_bn", {"leave_out": [4, 5, 6, 7]})),
        "LoRA": ("bert", "lora"),
        "LoRA everywhere": (
            "distilbert",
            ("lora", {"intermediate_lora": True, "output_lora": True, "r": 3, "alpha": 5,
                      "attn_matrices": ["q", "k", "v"], "leave_out": [0, 2]}),
        ),
    }  # fmt: skip

    @pytest.mark.parametrize("case", CONFIGS)
    def test_they_are_taken_exactly(
        self, bases: dict[str, Base], tmp_path: Path, case: str
    ) -> None:
        from adapters import AdapterConfig

        family, config = self.CONFIGS[case]
        name, more = config if isinstance(config, tuple) else (config, {})
        source = adapters_folder(tmp_path / "a", bases[family][0], AdapterConfig.load(name, **more))
        manifest = verified(imported(source, bases[family], tmp_path / "m", lang="sw"))
        assert manifest.origin.library == "adapters"  # type: ignore[union-attr]
        assert manifest.languages == ["sw"]
        wanted = "lora" if "LoRA" in case else "bottleneck"
        assert manifest.module.kind == wanted
        if "Pfeiffer" in case:
            assert manifest.module.options["form"] == "pfeiffer"

    def test_a_pfeiffer_adapter_is_written_for_adapters_again(
        self, base: Base, tmp_path: Path
    ) -> None:
        source = adapters_folder(tmp_path / "a", base[0], "seq_bn")
        made = package.import_module(source, base=base[0], out=tmp_path / "m")
        assert made.manifest.loaders["adapters"].status == "verified"
        with pytest.raises(UserError, match="a module of xadapt already"):
            imported(made.folder, base, tmp_path / "n")

    HEADS: ClassVar[dict[str, tuple[dict[str, Any], str | None]]] = {
        "tagging": ({"method": "add_tagging_head", "num_labels": 3}, "tagging"),
        "answers": ({"method": "add_qa_head"}, "span_extraction"),
        "classes": (
            {"method": "add_classification_head", "num_labels": 2, "layers": 1},
            "classification",
        ),
        "classes, two layers": ({"method": "add_classification_head", "num_labels": 2}, None),
        "a masked-LM head": ({"method": "add_masked_lm_head"}, None),
    }

    @pytest.mark.parametrize("case", HEADS)
    def test_heads_are_taken_or_told(self, base: Base, tmp_path: Path, case: str) -> None:
        head, task = self.HEADS[case]
        source = adapters_folder(tmp_path / "a", base[0], "seq_bn", head=head)
        made = imported(source, base, tmp_path / "m")
        own = made.manifest.head
        assert (own.task if own else None) == task
        assert any("is left out" in note for note in made.notes) == (task is None)
        if own and task == "tagging":
            kept = open_head(made.folder, own, base[1].width).linear.weight
            file = load_file(source / "model_head.safetensors")
            assert torch.equal(kept, file["heads.foreign.1.weight"])

    REFUSED: ClassVar[dict[str, tuple[Any, str]]] = {
        "compacter": (("compacter", {"reduction_factor": 2}), "phm_layer is True"),
        "a T5 with its decoder": ("double_seq_bn", "decoder.* has no place in this base"),
        "prefix tuning": ("prefix_tuning", "of kind 'prefix_tuning'"),
        "IA3": ("ia3", r"\(IA\)\^3"),
        "gated": (("seq_bn", {"use_gating": True}), "use_gating is True"),
        "learned scale": (("seq_bn", {"scaling": "learned"}), "scaling is 'learned'"),
        "tanh": (("seq_bn", {"non_linearity": "tanh"}), "non-linearity is 'tanh'"),
        "other widths": (
            ("seq_bn", {"reduction_factor": {"1": 8, "default": 16}}),
            "here are 2, 4",
        ),
        "an inner norm": (("seq_bn", {"ln_before": True}), "ln_before is True"),
        "glow": (("seq_bn_inv", {"inv_adapter": "glow"}), "'glow' splits tokens"),
    }

    @pytest.mark.parametrize("case", REFUSED)
    def test_what_xadapt_has_not_is_refused(
        self, bases: dict[str, Base], tmp_path: Path, case: str
    ) -> None:
        from adapters import AdapterConfig

        config, said = self.REFUSED[case]
        base = bases["t5" if "T5" in case else "bert"]
        name, more = config if isinstance(config, tuple) else (config, {})
        source = adapters_folder(
            tmp_path / "a", base[0], AdapterConfig.load(name, **more), safe=False
        )
        refused(source, base, tmp_path / "m", said, allow_pickle=True)

    def test_pickles_need_leave_and_old_names_are_read(self, base: Base, tmp_path: Path) -> None:
        source = adapters_folder(tmp_path / "a", base[0], "seq_bn", safe=False)
        assert (source / "pytorch_adapter.bin").is_file()
        refused(source, base, tmp_path / "m", "a pickle can hold a program.*--allow-pickle")
        verified(imported(source, base, tmp_path / "m", allow_pickle=True))
        file = source / "pytorch_adapter.bin"
        old = {
            key.replace("output.adapters.", "output.layer_text_task_adapters."): value
            for key, value in torch.load(file, weights_only=True).items()
        }
        torch.save(old, file)
        verified(imported(source, base, tmp_path / "n", allow_pickle=True))

    def test_settings_that_lie(self, base: Base, tmp_path: Path) -> None:
        source = adapters_folder(tmp_path / "a", base[0], "seq_bn")
        config = json.loads((source / "adapter_config.json").read_text())
        for changes, said in (
            ({"model_type": "roberta"}, "a base of type 'roberta', not 'bert'"),
            ({"hidden_size": 768}, "of width 768, not 32"),
            ({"config": []}, "no settings of an adapter"),
            ({"config": {**config["config"], "wonder": 1}}, "'wonder' of adapters"),
            ({"config": {**config["config"], "scaling": -1.0}}, "scaling is '-1.0'"),
            ({"config": {**config["config"], "leave_out": [0, 1, 2, 3]}}, "leaves out all"),
            ({"config": {**config["config"], "leave_out": [1]}}, "has no place in this base"),
            ({"config": {**config["config"], "mh_adapter": True}}, "is missing"),
            ({"config": {**config["config"], "output_adapter": "yes"}}, "neither true nor false"),
            ({"name": "other"}, "is missing"),
            ({"name": ""}, "no name"),
        ):
            settings(source, **{**config, **changes})
            refused(source, base, tmp_path / "m", said)
        settings(source, **config)
        verified(imported(source, base, tmp_path / "m"))

    def test_a_lora_from_before_alpha_scaled_is_scaled_as_it_was_trained(
        self, base: Base, tmp_path: Path
    ) -> None:
        from adapters import AdapterConfig

        config = AdapterConfig.load("lora", r=4, alpha=16)
        source = adapters_folder(tmp_path / "a", base[0], config)
        settings(source, version="adapters.1.0.1")
        manifest = verified(imported(source, base, tmp_path / "m"))
        assert manifest.module.options["alpha"] == 4


class Evil:
    """A pickle that makes a file when it is loaded by a reader that runs programs."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("form", ["torch", "protocol 4", "bare", "hidden"])
def test_a_malicious_pickle_never_runs(
    base: Base, plain_lora: Path, tmp_path: Path, form: str
) -> None:
    mark = tmp_path / "ran"
    source = Path(shutil.copytree(plain_lora, tmp_path / "peft"))
    tensors = load_file(source / "adapter_model.safetensors")
    (source / "adapter_model.safetensors").unlink()
    file = source / "adapter_model.bin"
    evil = {**tensors, "evil": Evil(mark)}
    if form == "torch":
        torch.save(evil, file)
    elif form == "protocol 4":
        torch.save(evil, file, pickle_protocol=4)
    elif form == "bare":
        file.write_bytes(pickle.dumps(Evil(mark)))
    else:  # a second program in the archive
        torch.save(tensors, file)
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr("other/data.pkl", pickle.dumps(Evil(mark)))
    said = {
        "torch": r"asks to run '(posix|nt)\.mkdir': nothing of it was run",
        "protocol 4": "asks to run",
        "bare": "no archive of torch 1.6",
        "hidden": "no single program",
    }
    refused(source, base, tmp_path / "m", "--allow-pickle")
    refused(source, base, tmp_path / "m", said[form], allow_pickle=True)
    assert not mark.exists()
    torch.load(file, weights_only=False) if form == "torch" else None
    assert mark.exists() == (form == "torch")  # it would have run


def test_a_pickle_that_unpacks_to_more_than_it_holds_is_refused(
    base: Base, plain_lora: Path, tmp_path: Path
) -> None:
    source = Path(shutil.copytree(plain_lora, tmp_path / "peft"))
    tensors = load_file(source / "adapter_model.safetensors")
    (source / "adapter_model.safetensors").unlink()
    file, out = source / "adapter_model.bin", tmp_path / "m"
    torch.save({"x": torch.zeros(1).expand(2**20, 2**20)}, file)
    refused(source, base, out, "not stored as a whole", allow_pickle=True)
    torch.save([torch.zeros(1)], file)
    refused(source, base, out, "no dictionary", allow_pickle=True)
    torch.save({"x": 1}, file)
    refused(source, base, out, "'x' is no tensor", allow_pickle=True)
    torch.save(tensors, file)
    with zipfile.ZipFile(file) as before:
        entries = {name: before.read(name) for name in before.namelist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, raw in entries.items():
            packed.writestr(name, raw)
    refused(source, base, out, "compressed", allow_pickle=True)
    torch.save(tensors, file)
    verified(imported(source, base, out, allow_pickle=True))
    file.write_bytes(file.read_bytes()[:-200])
    refused(source, base, tmp_path / "n", "archive|read", allow_pickle=True)


def test_without_the_library_it_is_told(
    base: Base, plain_lora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xadapt.integrations import peft as bridge

    monkeypatch.setattr(bridge, "available", lambda: "peft is not installed")
    made = imported(plain_lora, base, tmp_path / "m")
    assert "not verified: peft is not installed" in made.notes
    assert made.manifest.origin.reason == "peft is not installed"  # type: ignore[union-attr]
    assert "not compared with peft" in (made.folder / "README.md").read_text()


def test_another_result_of_the_library_is_refused(
    base: Base, plain_lora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault put into the reader: it is seen, and nothing is written."""

    def doubled(path: str, said: Any, patterns: str, otherwise: str) -> Any:
        return said[otherwise] * (2 if otherwise == "lora_alpha" else 1)

    monkeypatch.setattr("xadapt.hub.imports.peft._by_pattern", doubled)
    refused(plain_lora, base, tmp_path / "m", "peft .* computes other states")


def test_by_command_and_from_the_hub(
    base: Base, plain_lora: Path, tmp_path: Path, local_hub: LocalHub
) -> None:
    files = {p.name: p.read_bytes() for p in plain_lora.iterdir() if p.is_file()}
    oid = local_hub.put("org/lora", {**files, "evil.py": b"1", "../up.json": b"{}"})
    done = good("import", "org/lora", "--base", base[0], "--lang", "sw", "--out", tmp_path / "m",
                "--json", tmp_path / "m.json")  # fmt: skip
    assert "verified with peft" in done.out
    said = json.loads((tmp_path / "m.json").read_text())
    origin = read_manifest(tmp_path / "m").origin
    assert origin is not None and (origin.id, origin.revision) == ("org/lora", oid)
    assert said["origin"]["files"].keys() == {"adapter_config.json", "adapter_model.safetensors"}
    fetched = [path for _, path in local_hub.requests if "/resolve/" in path]
    assert not any("evil" in path or "up.json" in path for path in fetched)
    assert "https://huggingface.co/org/lora/tree/" in (tmp_path / "m" / "README.md").read_text()
    local_hub.put("org/base", {"config.json": b"{}"})
    for source, said_ in (
        ("org/none", "no model of this name"),
        ("org/base", "this is no adapter"),
    ):
        wrong = xadapt("import", source, "--base", base[0], "--out", tmp_path / "x")
        assert wrong.code == 2 and said_ in wrong.err and len(wrong.lines) == 1
    assert "x" not in everything(tmp_path)
    again = xadapt("import", plain_lora, "--base", base[0], "--out", tmp_path / "m")
    assert again.code == 2 and len(again.lines) == 1


def test_a_module_without_a_language_acts_on_all_rows(
    base: Base, plain_lora: Path, tmp_path: Path
) -> None:
    made = imported(plain_lora, base, tmp_path / "m")
    assert made.manifest.languages == []
    model = AdaptedEncoder.from_pretrained(base[1], made.folder)
    bare = AdaptedEncoder(base[1], {})
    assert abs(model.encode(list(TEXTS)) - bare.encode(list(TEXTS), [None] * 3)).max() > 1e-3
    other = imported(plain_lora, base, tmp_path / "n", lang="sw")
    with pytest.raises(UserError, match="names no language"):
        AdaptedEncoder.from_pretrained(base[1], made.folder, other.folder)
