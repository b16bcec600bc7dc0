"""Code that opens a module: one snippet for each library, with the base's own pooling."""

from __future__ import annotations

import json

from xadapt.backbones.encoder.pooling import Dense, Pooling
from xadapt.backbones.encoder.prompts import DOCUMENT, QUERY, first_of, side_prompts
from xadapt.backbones.task_class import MLM, TEXT_TO_TEXT
from xadapt.hub.manifest import HeadSpec, Manifest
from xadapt.hub.task_lines import (
    MASKED_TEXT,
    answer_lines,
    auto_class,
    logits_lines,
    settings_lines,
    task_name,
    writing_lines,
)

CALL = "model(**batch).last_hidden_state"
FOLDER = "FOLDER"
BASE = "BASE"
TEXTS = ("A sentence.", "Another, longer one.")

# Models of these types are encoder-decoders; the class named is that of their encoder half.
ENCODER_CLASS = {"t5": "T5EncoderModel", "mt5": "MT5EncoderModel"}

POOLS = {
    "cls": "states[torch.arange(len(states)), keep.squeeze(-1).argmax(1)]",
    "max": 'states.masked_fill(keep == 0, float("-inf")).amax(1)',
    "mean": "(states * keep).sum(1) / keep.sum(1)",
    "mean_sqrt_len_tokens": "(states * keep).sum(1) / keep.sum(1).sqrt()",
    "weightedmean": "(states * place).sum(1) / place.sum(1)",
    "lasttoken": 'states[torch.arange(len(states)), batch["attention_mask"].sum(1) - 1]',
}
ACTIVATIONS = {
    "Identity": "",
    "Tanh": "torch.tanh",
    "ReLU": "torch.relu",
    "GELU": "torch.nn.functional.gelu",
    "SiLU": "torch.nn.functional.silu",
    "Sigmoid": "torch.sigmoid",
}


def snippets(manifest: Manifest) -> dict[str, str]:
    """Write Python code for each loader that holds the module, by loader.

    The first lines of each snippet set ``base`` and ``folder``. Each snippet ends with ``vectors``,
    a tensor or array ``(texts, features)``. For a module that is for a task, the snippet loads
    the class of the task, sets ``logits``, and ends with the predictions.
    """
    makers = {
        "adapters": _adapters,
        "peft": _peft,
        "transformers": _transformers,
        "sentence-transformers": _sentence_transformers,
    }
    held = {n for n, loader in manifest.loaders.items() if loader.written}
    held -= {"sentence-transformers"} if manifest.head else set()
    return {name: make(manifest) for name, make in makers.items() if name in held}


def off_switches(manifest: Manifest) -> dict[str, str]:
    """Write Python code that runs the base alone, by loader, after the snippet of that loader.

    The code sets ``states`` (or ``vectors``, for sentence-transformers) to those of the base, and
    turns the module on again. A library without such a switch for this base has no entry.
    """
    if _half(manifest) or auto_class(manifest):
        return {}
    held = snippets(manifest)
    run = ["with torch.no_grad():", "    states = {call}"]
    codes = {
        "adapters": [
            "model.set_active_adapters(None)",
            *run,
            f"model.set_active_adapters({json.dumps(manifest.name)})  # on again",
        ],
        "peft": ["with torch.no_grad(), model.disable_adapter():", run[1]],
        "transformers": ["model.disable_adapters()", *run, "model.enable_adapters()  # on again"],
        "sentence-transformers": [
            "model.disable_adapters()",
            _encode_call(),
            "model.enable_adapters()  # on again",
        ],
    }
    calls = {"adapters": _adapters_call(manifest)}
    return {
        name: "\n".join(lines).replace("{call}", calls.get(name, CALL))
        for name, lines in codes.items()
        if name in held
    }


def xadapt_snippet(manifest: Manifest) -> str:
    """Write Python code that encodes a text with the module and a text with the base alone.

    A module of an encoder-decoder writes texts.
    """
    if task_name(manifest) == TEXT_TO_TEXT:
        return _writing_snippet(manifest)
    tag = json.dumps(manifest.languages[0] if manifest.languages else "en")
    calls = [f"vectors = model.encode({_plain_texts()}, [{tag}, None])"]
    if prompts_by_side(manifest):
        query, passage = (json.dumps([text]) for text in TEXTS)
        calls = [
            f"queries = model.encode_query({query}, {tag})",
            f"passages = model.encode_document({passage}, {tag})",
            "scores = model.similarity(queries, passages)",
        ]
    return "\n".join(
        ["import xadapt", "", _head(manifest), "model = xadapt.load(base, folder)", *calls]
    )


def _writing_snippet(manifest: Manifest) -> str:
    given = ""
    if manifest.pivot is not None:
        given = f", lang={json.dumps(manifest.pivot)}, into={json.dumps(manifest.languages[0])}"
    lines = [
        "model = xadapt.load_seq2seq(base, folder)",
        f"texts = model.write({_plain_texts()}{given})",
    ]
    return "\n".join(["import xadapt", "", _head(manifest), *lines])


def _head(manifest: Manifest) -> str:
    base = manifest.base.id or BASE
    lines = [
        f"base = {json.dumps(base)}",
        f'folder = "{FOLDER}"  # this folder, or its id on the Hub',
    ]
    if manifest.base.id is None:
        lines[0] += "  # a folder with the base; its weights are named in xadapt.json"
    return "\n".join(lines)


def _adapters(manifest: Manifest) -> str:
    loaded = [
        f"model = AutoAdapterModel.from_pretrained(base{_revision(manifest)})",
        "model.load_adapter(folder, set_active=True)",
    ]
    imports = "from adapters import AutoAdapterModel"
    if task_name(manifest) == MLM:
        return _adapters_masked(manifest)
    if auto_class(manifest):
        names, _ = settings_lines(manifest)
        return _script(manifest, imports, [*names, *loaded])
    loaded.append("model.active_head = None  # states, not the scores of a head the base came with")
    return _script(manifest, imports, loaded, _adapters_call(manifest))


def _adapters_masked(manifest: Manifest) -> str:
    """Return the lines for a language module with the base's masked-language-model head."""
    name, given = _class(manifest), f"base{_revision(manifest)}"
    if manifest.module.options.get("invertible"):
        loaded = [
            f"model = AutoAdapterModel.from_pretrained({given})",
            f"whole = {name}.from_pretrained({given})",
            "# adapters leaves the bias of the head out",
            'model.heads["default"][-1].bias = whole.get_output_embeddings().bias',
            "model.load_adapter(folder, set_active=True)",
        ]
        imports = f"from adapters import AutoAdapterModel\nfrom transformers import {name}"
        return _script(manifest, imports, loaded)
    loaded = [
        f"model = {name}.from_pretrained({given})",
        "adapters.init(model)",
        "model.load_adapter(folder, set_active=True)",
    ]
    return _script(manifest, f"import adapters\nfrom transformers import {name}", loaded)


def _adapters_call(manifest: Manifest) -> str:
    if manifest.base.model_type not in ENCODER_CLASS:
        return CALL
    first = 'decoder_input_ids=batch["input_ids"][:, :1]'
    return f"model(**batch, {first}).encoder_last_hidden_state"


def _peft(manifest: Manifest) -> str:
    name = _class(manifest)
    loaded = [
        *_opening(manifest),
        f"model = PeftModel.from_pretrained(model, folder){_half(manifest)}",
    ]
    if task_name(manifest) == "span_extraction":
        loaded.append("model = model.get_base_model()  # peft's own class loses token_type_ids")
    return _script(manifest, f"from peft import PeftModel\nfrom transformers import {name}", loaded)


def _transformers(manifest: Manifest) -> str:
    name = _class(manifest)
    loaded = [
        *_opening(manifest),
        "model.load_adapter(folder)",
    ]
    if _half(manifest):
        loaded.append(f"model = model{_half(manifest)}")
    return _script(manifest, f"from transformers import {name}", loaded)


def _opening(manifest: Manifest) -> list[str]:
    """Return the lines that open the base with the class that the module is for."""
    lines, arguments = settings_lines(manifest) if auto_class(manifest) else ([], "")
    given = f"base{_revision(manifest)}{arguments}"
    return [*lines, f"model = {_class(manifest)}.from_pretrained({given})"]


def _sentence_transformers(manifest: Manifest) -> str:
    return "\n".join(
        [
            *(["import torch"] if prompts_by_side(manifest) else []),
            "from sentence_transformers import SentenceTransformer",
            "",
            f'folder = "{FOLDER}"  # this folder, or its id on the Hub; it names its base',
            "model = SentenceTransformer(folder)",
            *(_side_calls(manifest) or [_encode_call()]),
        ]
    )


def prompts_by_side(manifest: Manifest) -> dict[str, tuple[str, str]]:
    """Return name and text of the prompts of queries and passages that a module was trained with.

    The result is empty for a module without such prompts; a side without one has two empty texts.
    """
    pooling = Pooling.from_dict(manifest.pooling) if manifest.pooling else Pooling()
    ranked = manifest.recipe.get("prompts") or "multiple_negatives_ranking" in manifest.objectives
    sides = side_prompts(pooling) if ranked and manifest.head is None else {}
    if not any(sides.values()):
        return {}
    named = {
        "query": first_of(QUERY, pooling.prompts),
        "passage": first_of(DOCUMENT, pooling.prompts),
    }
    return {
        side: (name, pooling.prompts[name]) if name is not None else ("", "")
        for side, name in named.items()
    }


def _side_calls(manifest: Manifest) -> list[str]:
    """Return the lines that encode a query and a passage, each with its prompt."""
    lines = []
    sides = prompts_by_side(manifest)
    for variable, side, text in zip(("queries", "passages"), sides, TEXTS, strict=False):
        name = sides[side][0]
        given = f", prompt_name={json.dumps(name)}" if name else ""
        call = f"model.encode({json.dumps([text])}{given}, convert_to_tensor=True)"
        lines.append(f"{variable} = {call}")
    return lines and [*lines, "vectors = torch.cat([queries, passages])"]


def _encode_call() -> str:
    return f"vectors = model.encode({_plain_texts()}, convert_to_tensor=True)"


def _script(
    manifest: Manifest,
    imports: str,
    loaded: list[str],
    call: str = CALL,
) -> str:
    head = manifest.head
    begin, given = _input(head, _texts(manifest))
    if task_name(manifest) == MLM:
        given = MASKED_TEXT
    return "\n".join(
        [
            "import torch",
            imports,
            "from transformers import AutoTokenizer",
            "",
            _head(manifest),
            f"tokenizer = AutoTokenizer.from_pretrained(base{_revision(manifest)})",
            *loaded,
            "model.eval()",
            *begin,
            f"batch = tokenizer({given}, padding=True, truncation=True, "
            f'max_length={manifest.max_length}, return_tensors="pt")',
            *_results(manifest, call),
        ]
    )


def _results(manifest: Manifest, call: str) -> list[str]:
    """Return the lines from the forward to the results."""
    head = manifest.head
    if task_name(manifest) == TEXT_TO_TEXT:
        return writing_lines(manifest)
    if auto_class(manifest):
        return [*logits_lines(head), *answer_lines(head)]
    states = ["with torch.no_grad():", f"    states = {call}"]
    return [*states, *(_head_code(head) if head else pooling_code(manifest))]


def _input(head: HeadSpec | None, texts: str) -> tuple[list[str], str]:
    """Return the lines before the tokenizer call, and the arguments of that call.

    The arguments are the texts where a head names no example.
    """
    if head is None or head.card is None or head.card.example is None:
        return [], texts
    line, given = head.card.example
    return [line], given


def _head_code(head: HeadSpec) -> list[str]:
    """Return the lines from ``states`` to the predictions of the head."""
    if head.card is None:
        return ["# xadapt.tasks reads the head of this folder off these states"]
    labels = json.dumps(head.labels, ensure_ascii=False)
    return [line.replace("{labels}", labels) for line in head.card.code]


def _texts(manifest: Manifest) -> str:
    """Return two texts as the tokenizer takes them: with the base's prompt, in lower case."""
    sides = prompts_by_side(manifest)
    prompts = [text for _, text in sides.values()] or [manifest.prompt] * len(TEXTS)
    texts = [prompt + text for prompt, text in zip(prompts, TEXTS, strict=True)]
    if manifest.pooling.get("lower"):
        texts = [text.lower() for text in texts]
    return json.dumps(texts, ensure_ascii=False)


def _plain_texts() -> str:
    """Return two texts for a library that adds prompts itself."""
    return json.dumps(list(TEXTS), ensure_ascii=False)


def _class(manifest: Manifest) -> str:
    auto = auto_class(manifest)
    return auto or ENCODER_CLASS.get(manifest.base.model_type, "AutoModel")


def _half(manifest: Manifest) -> str:
    whole = manifest.base.model_type != "m2m_100" or manifest.backbone == "seq2seq"
    return "" if whole else ".get_encoder()"


def _revision(manifest: Manifest) -> str:
    revision = manifest.base.revision
    return f", revision={json.dumps(revision)}" if revision and manifest.base.id else ""


def pooling_code(manifest: Manifest) -> list[str]:
    """Return the lines from ``states`` and ``batch`` to ``vectors``, with the base's pooling."""
    pooling = Pooling.from_dict(manifest.pooling)
    lines = ['keep = batch["attention_mask"].unsqueeze(-1).to(states.dtype)']
    if pooling.prompt and not pooling.include_prompt:
        prompt = json.dumps(pooling.prompt, ensure_ascii=False)
        lines.append(f'keep[:, : len(tokenizer({prompt})["input_ids"]) - 1] = 0')
    if "weightedmean" in pooling.modes:
        lines.append("place = torch.arange(1, keep.shape[1] + 1).view(1, -1, 1) * keep")
    parts = [POOLS[mode] for mode in pooling.modes]
    joined = ", ".join(parts)
    lines.append(
        f"vectors = {joined}" if len(parts) == 1 else f"vectors = torch.cat([{joined}], 1)"
    )
    for dense in pooling.dense:
        lines += _dense(manifest, dense)
    if pooling.normalise:
        lines.append("vectors = torch.nn.functional.normalize(vectors, dim=1)")
    return lines


def _dense(manifest: Manifest, dense: Dense) -> list[str]:
    file = f"{dense.path}/model.safetensors"
    path = f'f"{{base}}/{file}"'
    lines = ["from safetensors.torch import load_file"]
    if manifest.base.id:
        lines.insert(0, "from huggingface_hub import hf_hub_download")
        path = f'hf_hub_download(base, "{file}"{_revision(manifest)})'
    inner = 'vectors @ dense["linear.weight"].T' + ' + dense["linear.bias"]' * dense.bias
    return [
        *lines,
        f"dense = load_file({path})",
        f"vectors = {ACTIVATIONS[dense.activation]}({inner})",
    ]
