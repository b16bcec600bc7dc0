"""Every line of code in a card is run as it is printed, with the module and its base on a Hub."""

import re

import pytest
import torch
from tiny_folders import BASE_ID, base_and_encoder, manifest_of, own_states, random_module
from tiny_heads import LABELS
from tiny_models import tiny_folder
from tiny_training import forward

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.heads.head import PROBLEM_TYPES, Head
from xadapt.hub.folder import write_folder
from xadapt.hub.snippets import TEXTS
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.integrations import usable
from xadapt.tasks.head_task import with_card

REPO = "org/tiny-sw"
CASES = [
    ("xlmr", "lora", {"adapters", "peft", "transformers", "sentence-transformers"}),
    ("bert", "bottleneck", {"adapters"}),
]


def blocks(card):
    """The blocks of Python code below each heading."""
    found = {}
    for part in card.split("\n### ")[1:]:
        title = part.splitlines()[0].split(" (")[0]
        found[title] = re.findall(r"```python\n(.*?)\n```", part, re.DOTALL)
    return found


def bare(encoder):
    ids, mask = encoder.batch(encoder.tokenize(TEXTS))
    with torch.no_grad():
        return mask, forward(encoder, ids, mask)


def near(found, wanted):
    torch.testing.assert_close(torch.as_tensor(found).float(), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("family", "kind", "held"), CASES)
def test_the_lines_of_the_card_give_our_vectors_on_and_off(local_hub, tmp_path, family, kind, held):
    _, encoder = base_and_encoder(tmp_path, family)
    local_hub.put_folder(BASE_ID, tmp_path / "base")
    module = random_module(encoder, kind)
    made = manifest_of(encoder, module, base=_base(encoder))
    write_folder(tmp_path / "out", module, encoder, made, verify={}, loaders="all")
    local_hub.put_folder(REPO, tmp_path / "out")
    found = blocks((tmp_path / "out" / "README.md").read_text(encoding="utf-8"))
    assert set(found) == held | {"xadapt"}
    _, mask, states = own_states(encoder, [module], TEXTS)
    on = encoder.pool(states, mask)
    _, off_states = bare(encoder)
    off = encoder.pool(off_states, mask)
    assert not torch.allclose(on, off, atol=1e-3)
    for name, reason in {**usable(), "xadapt": None}.items():
        if name not in found or reason is not None:
            continue
        # xadapt's own lines take a folder here
        where = str(tmp_path / "out") if name == "xadapt" else REPO
        codes = [code.replace('"FOLDER"', f'"{where}"') for code in found[name]]
        names: dict = {}
        exec(codes[0], names)
        if name == "xadapt":
            wanted = torch.stack([on[0], off[1]])
            printed = torch.as_tensor(names["vectors"])  # in bfloat16
            assert (torch.cosine_similarity(printed, wanted) > 0.99).all()
            exec(codes[0].replace("folder)", "folder, dtype='float32')"), names)
            near(names["vectors"], wanted)
            continue
        near(names["vectors"], on)
        exec(codes[1], names)
        if name == "sentence-transformers":
            near(names["vectors"], off)
        else:
            near(names["states"] * mask.unsqueeze(-1), off_states * mask.unsqueeze(-1))
        exec(_again(codes[0]), names)
        near(names["vectors"], on)


def _base(encoder):
    return {
        "id": BASE_ID,
        "revision": None,
        "model_type": encoder.model.config.model_type,
        "fingerprint": encoder.identity.to_dict(),
    }


def _again(code):
    """The lines from the forward on."""
    lines = code.splitlines()
    first = ("with torch.no_grad", "vectors = model.encode")
    return "\n".join(lines[next(n for n, line in enumerate(lines) if line.startswith(first)) :])


TASKS = [
    (family, kind, task)
    for family in ("bert", "xlmr")
    for kind, tasks in (
        (
            "lora",
            (
                "mlm",
                "tagging",
                "classification",
                "pair_classification",
                "multi_label",
                "span_extraction",
                "pair_scoring",
                "candidate_ranking",
            ),
        ),
        ("bottleneck", ("mlm", "tagging")),
    )
    for task in tasks
]


@pytest.mark.parametrize(("family", "kind", "task"), [*TASKS, ("bert", "invertible", "mlm")])
def test_the_lines_of_the_card_give_our_logits_of_the_task(local_hub, tmp_path, family, kind, task):
    """The class of the task is loaded by the printed lines; its logits are those of xadapt."""
    path = tiny_folder(tmp_path / "base", family, mlm=True)
    encoder = Encoder.from_pretrained(str(path), dtype="float32", device="cpu")
    local_hub.put_folder(BASE_ID, path)
    more = {"after": "ffn", "invertible": "nice"} if kind == "invertible" else {}
    module = random_module(encoder, "bottleneck" if more else kind, **more)
    scale = (1.0, 5.0) if task == "pair_scoring" else None
    torch.manual_seed(2)
    head = None if task == "mlm" else Head(task, LABELS[task], encoder.width, scale=scale)
    made = manifest_of(encoder, module, base=_base(encoder), objectives=[task])
    options = {"head": head and with_card(head), "loaders": "all"}
    write_folder(tmp_path / "out", module, encoder, made, verify={}, **options)
    local_hub.put_folder(REPO, tmp_path / "out")
    found = blocks((tmp_path / "out" / "README.md").read_text(encoding="utf-8"))
    held = {"adapters", "peft", "transformers"} if kind == "lora" else {"adapters"}
    assert held <= set(found) and "sentence-transformers" not in found
    for name, reason in usable().items():
        if name not in held or reason is not None:
            continue
        names: dict = {}
        exec(found[name][0].replace('"FOLDER"', f'"{REPO}"'), names)
        batch = names["batch"]
        own = own_logits(encoder, module, head, batch)
        assert not torch.allclose(own, own_logits(encoder, None, head, batch), atol=1e-3)
        near(names["logits"], own)
        answer = {"mlm": "words", "span_extraction": "answer"}
        answer |= dict.fromkeys(("pair_scoring", "candidate_ranking"), "scores")
        assert len(names[answer.get(task, "labels")])


def own_logits(encoder, module, head, batch):
    """The logits of xadapt on the rows of a tokenizer."""
    ids, mask = batch["input_ids"], batch["attention_mask"]
    acts = None if module is None else Activation.of(ActiveAdapter(encoder, module))
    with torch.no_grad():
        states = encoder.run(encoder.embed(ids, mask, activation=acts), mask, activation=acts)
        if head is None:
            return encoder.mlm_head(getattr(module, "before_vocabulary", None))(states).float()
        scores = head(states[:, 0] if head.task in PROBLEM_TYPES else states)
        if head.scale is None:
            return scores
        low, high = head.scale
        return low + (high - low) * scores
