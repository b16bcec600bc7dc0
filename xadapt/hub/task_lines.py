"""Lines of code, for the card, that load the class of a module's task and read its logits."""

from __future__ import annotations

import json

from xadapt.backbones.task_class import CLASSES, MLM, TEXT_TO_TEXT, class_name
from xadapt.heads.head import LINEAR, LOAD_HEAD, PROBLEM_TYPES
from xadapt.hub.manifest import HeadSpec, Manifest

MASKED_TEXT = 'f"The capital of France is {tokenizer.mask_token}."'
"""The text of the lines for a masked language model, as Python code."""


def task_name(manifest: Manifest) -> str | None:
    """Return the task whose class holds a module: the kind of its head, or ``mlm``, or ``None``.

    A module of an encoder-decoder is for ``text_to_text``. ``None`` is for modules that compute
    vectors, and for heads that no class holds.
    """
    head = manifest.head
    if manifest.backbone == "seq2seq":
        return TEXT_TO_TEXT
    if head is None:
        return MLM if manifest.objectives == [MLM] else None
    return head.task if class_name(manifest.base.model_type, head.task) else None


def auto_class(manifest: Manifest) -> str | None:
    """Return the Auto class of a module's task, or ``None``."""
    task = task_name(manifest)
    return None if task is None else class_name(manifest.base.model_type, task)


def settings_lines(manifest: Manifest) -> tuple[list[str], str]:
    """Return the lines that define the labels, and the arguments of ``from_pretrained``."""
    head = manifest.head
    if head is None or head.task == "span_extraction":
        return [], ""
    arguments = ", id2label=dict(enumerate(names)), label2id=numbers"
    sequence = CLASSES[head.task][0] == CLASSES["classification"][0]
    if sequence and manifest.base.model_type == "deberta-v2":
        arguments += ', pooler_hidden_act="linear"'
    problem = PROBLEM_TYPES.get(head.task)
    if problem not in (None, "single_label_classification"):  # which is what transformers takes
        arguments += f', problem_type="{problem}"'
    return [
        f"names = {json.dumps(head.labels, ensure_ascii=False)}",
        "numbers = {name: number for number, name in enumerate(names)}",
    ], arguments


def writing_lines(manifest: Manifest) -> list[str]:
    """Return the lines that write texts with an encoder-decoder."""
    lines = []
    if manifest.objectives == ["translation"]:
        lines.append("# NLLB, M2M100 and mBART: set tokenizer.src_lang before, and give generate")
        lines.append("# forced_bos_token_id, the id of the token of the language to write")
    return [
        *lines,
        "with torch.no_grad():",
        "    tokens = model.generate(**batch, max_new_tokens=64)",
        "texts = tokenizer.batch_decode(tokens, skip_special_tokens=True)",
    ]


def logits_lines(head: HeadSpec | None) -> list[str]:
    """Return the forward and the lines that give ``logits``."""
    run = ["with torch.no_grad():", "    output = model(**batch)"]
    if head is not None and head.task == "span_extraction":
        return [*run, "logits = torch.stack([output.start_logits, output.end_logits], -1)"]
    return [*run, "logits = output.logits"]


def answer_lines(head: HeadSpec | None) -> list[str]:
    """Return the lines from ``logits`` to predictions.

    The lines of a head's card start from the states and the head's own file.
    """
    if head is None:
        return [
            'at = batch["input_ids"] == tokenizer.mask_token_id',
            "words = tokenizer.batch_decode(logits[at].topk(5).indices[0])",
        ]
    if head.task in ("pair_scoring", "candidate_ranking"):
        return ["scores = logits[:, 0]"]
    lines = [] if head.card is None else [li for li in head.card.code if li not in LOAD_HEAD]
    lines = [line for line in lines if not line.startswith("names = {labels}")]
    replaced = (
        (f"(states[0] @ {LINEAR})", "logits[0]"),
        (f"states[0] @ {LINEAR}", "logits[0]"),
        (f"states[:, 0] @ {LINEAR}", "logits"),
    )
    for old, new in replaced:
        lines = [line.replace(old, new) for line in lines]
    return lines
