"""The printed code is run, and says what our own predictors say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_folders import BASE_ID, base_and_encoder, manifest_of, random_module

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.functional.tag_scheme import decode
from xadapt.heads.head import Head, HeadTask
from xadapt.hub.folder import write_folder
from xadapt.hub.head_code import head_code, head_input
from xadapt.hub.manifest import HeadSpec
from xadapt.hub.snippets import snippets
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.tasks.predict.answer_finder import answers
from xadapt.tasks.predict.classifier import classes
from xadapt.tasks.predict.pair_scorer import scores
from xadapt.tasks.predict.tagger import scores as tag_scores

LABELS: dict[HeadTask, list[str]] = {
    "tagging": ["X", "Y", "Z"],
    "classification": ["x", "y", "z"],
    "pair_scoring": ["score"],
    "span_extraction": ["start", "end"],
}


def ours(encoder: Encoder, head: Head, names: dict[str, Any], rows: Activation) -> Any:
    if head.task == "tagging":
        return decode(tag_scores(encoder, head, [names["words"]], rows)[0], head.labels, "word")
    if head.task == "classification":
        return classes(encoder, head, ["A sentence.", "Another, longer one."], rows)
    if head.task == "pair_scoring":
        return scores(encoder, head, [(names["left"], names["right"])], rows).tolist()
    return answers(encoder, head, [(names["question"], names["passage"])], rows)[0].text


@pytest.mark.parametrize("family", ["bert", "xlmr"])
@pytest.mark.parametrize("task", LABELS)
def test_the_printed_code_says_what_we_say(tmp_path: Path, family: str, task: HeadTask) -> None:
    pytest.importorskip("peft")
    base, encoder = base_and_encoder(tmp_path, family)
    module = random_module(encoder, "lora")
    torch.manual_seed(4)
    scale = (1.0, 5.0) if task == "pair_scoring" else None
    head = Head(task, LABELS[task], encoder.width, "word", scale)
    made = manifest_of(encoder, module)
    manifest = write_folder(tmp_path / "m", module, encoder, made, verify={}, head=head)
    code = snippets(manifest)["peft"].replace(json.dumps(BASE_ID), json.dumps(base))
    names: dict[str, Any] = {}
    exec(code.replace("FOLDER", str(tmp_path / "m")), names)
    said = names[{"pair_scoring": "scores", "span_extraction": "answer"}.get(task, "labels")]
    acts = Activation.of(ActiveAdapter(encoder, module))
    wanted = ours(encoder, head, names, acts)
    if task == "pair_scoring":
        assert said.tolist() == pytest.approx(wanted, abs=1e-4)
    else:
        assert said == wanted and said


def test_texts_are_what_is_read_where_nothing_else_is_named() -> None:
    spec = HeadSpec(task="classification", labels=["ä", "b"])
    assert head_input(spec, '["A"]') == ([], '["A"]')
    assert 'names = ["ä", "b"]' in head_code(spec)
