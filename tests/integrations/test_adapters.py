"""The real adapters library: single modules, and a module under a second adapter."""

import json

import pytest
import torch
from tiny_folders import TEXTS, base_and_encoder, manifest_of, own_states, random_module
from tiny_models import tiny_folder
from tokenizers import processors
from torch import nn

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.pairs import tokenize_pairs
from xadapt.heads.head import Head
from xadapt.hub.folder import write_folder
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.integrations import adapters as bridge
from xadapt.tasks.predictor import first_scores

pytestmark = [
    pytest.mark.adapters,
    pytest.mark.skipif(bridge.available() is not None, reason=str(bridge.available())),
]
TYPES = ("bert", "roberta", "xlmr", "distilbert", "deberta-v3", "deberta-v2-conv", "t5")
MODULES = {
    "lora": ("lora", {"rank": 3, "alpha": 7}),
    "lora some": (
        "lora",
        {"sites": ("q", "v", "ffn_out"), "rank": 3, "alpha": 7, "layers": (1, 3)},
    ),
    "lora ffn": ("lora", {"sites": ("ffn_in",), "rank": 2, "alpha": 1}),
    "double": ("bottleneck", {"width": 5, "scaling": 0.7}),
    "ffn": ("bottleneck", {"width": 7, "after": "ffn", "activation": "silu", "layers": (1, 3)}),
    "attention": ("bottleneck", {"width": 9, "after": "attention", "activation": "relu"}),
    "parallel": ("bottleneck", {"width": 5, "after": "ffn", "form": "parallel", "scaling": 2.0}),
    "invertible": ("bottleneck", {"width": 5, "after": "ffn", "invertible": "nice"}),
    "invertible narrow": ("bottleneck", {"width": 5, "invertible": "nice", "invertible_width": 3}),
    "parallel both": ("bottleneck", {"width": 5, "form": "parallel"}),
}


def publish(tmp_path, encoder, module):
    return write_folder(
        tmp_path / "out", module, encoder, manifest_of(encoder, module), verify={}, loaders="all"
    )


@pytest.mark.parametrize("family", TYPES)
@pytest.mark.parametrize("name", MODULES)
def test_adapters_computes_what_we_compute(tmp_path, family, name):
    kind, options = MODULES[name]
    base, encoder = base_and_encoder(tmp_path, family)
    module = random_module(encoder, kind, **options)
    manifest = publish(tmp_path, encoder, module)
    if family == "t5" and name.startswith(("parallel", "invertible")):
        assert manifest.loaders["adapters"].status == "cannot hold"
        return
    ids, mask, own = own_states(encoder, [module])
    theirs = bridge.states(tmp_path / "out", base, ids, mask)
    if family == "deberta-v2-conv" and name.startswith("invertible"):
        longest = mask.sum(1) == mask.shape[1]  # in adapters the map acts on padding too, which
        assert longest.any() and (theirs - own)[~longest].abs().max() > 1e-2  # the base reads
        mask = mask * longest.unsqueeze(1)
    off = encoder.run(encoder.embed(ids, mask), mask)
    real = mask.bool()
    torch.testing.assert_close(theirs[real], own[real], rtol=1e-5, atol=1e-5)
    assert (own - off)[real].abs().max() > 1e-2


def test_a_base_published_with_a_language_model_head_gives_states(tmp_path):
    """AutoAdapterModel puts such a head in front of them."""
    base = tiny_folder(tmp_path / "base", "xlmr", mlm=True)
    encoder = Encoder.from_pretrained(str(base), dtype="float32", device="cpu")
    module = random_module(encoder, "lora", rank=2)
    publish(tmp_path, encoder, module)
    ids, mask, own = own_states(encoder, [module])
    theirs = bridge.states(tmp_path / "out", str(base), ids, mask)
    torch.testing.assert_close(theirs[mask.bool()], own[mask.bool()], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["lora", "bottleneck"])
@pytest.mark.parametrize("family", ["bert", "xlmr", "distilbert", "deberta-v3"])
def test_our_settings_make_adapters_save_the_very_same_names(tmp_path, family, kind):
    from adapters import AutoAdapterModel
    from safetensors.torch import load_file

    base, encoder = base_and_encoder(tmp_path, family)
    publish(tmp_path, encoder, random_module(encoder, kind))
    settings = json.loads((tmp_path / "out/adapter_config.json").read_text())
    model = AutoAdapterModel.from_pretrained(base)
    model.add_adapter("tiny-sw", config=settings["config"])
    model.save_adapter(str(tmp_path / "theirs"), "tiny-sw", use_safetensors=True)
    own = load_file(tmp_path / "out/adapter.safetensors")
    theirs = load_file(tmp_path / "theirs/adapter.safetensors")
    assert {k: v.shape for k, v in own.items()} == {k: v.shape for k, v in theirs.items()}
    saved = json.loads((tmp_path / "theirs/adapter_config.json").read_text())
    for key in ("model_type", "model_class", "hidden_size", "name"):
        assert saved[key] == settings[key]
    assert settings["config"].items() <= saved["config"].items()


@pytest.mark.parametrize("family", ["bert", "xlmr", "distilbert", "deberta-v3"])
@pytest.mark.parametrize("name", ["lora", "double", "ffn"])
def test_stacked_under_a_task_adapter(tmp_path, family, name):
    """``Stack(module, task)`` equals both by hand, the task reading the module's output."""
    import adapters.composition as ac
    from adapters import AutoAdapterModel, DoubleSeqBnConfig

    kind, options = MODULES[name]
    base, encoder = base_and_encoder(tmp_path, family)
    module = random_module(encoder, kind, **options)
    publish(tmp_path, encoder, module)
    model = AutoAdapterModel.from_pretrained(base)
    first = model.load_adapter(str(tmp_path / "out"))
    model.add_adapter("task", config=DoubleSeqBnConfig(reduction_factor=4, non_linearity="relu"))
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for key, value in model.named_parameters():
            if ".task." in key:
                value.copy_(torch.randn(value.shape, generator=generator) * 0.2)
    model.eval()
    ids, mask = encoder.batch(encoder.tokenize(TEXTS))

    def theirs(setup):
        model.set_active_adapters(setup)
        with torch.no_grad():
            return model(input_ids=ids, attention_mask=mask).last_hidden_state[mask.bool()]

    task = random_module(encoder, "bottleneck", width=8, activation="relu")
    _take_over(model, task)
    both = own_states(encoder, [module, task])[2][mask.bool()]
    torch.testing.assert_close(theirs(ac.Stack(first, "task")), both, rtol=1e-5, atol=1e-5)
    alone = own_states(encoder, [task])[2][mask.bool()]
    torch.testing.assert_close(theirs("task"), alone, rtol=1e-5, atol=1e-5)
    assert (both - alone).abs().max() > 1e-2


def test_a_parallel_module_in_a_stack_is_wrong_as_the_card_says(tmp_path):
    """If adapters mends this, the warning on the card can go."""
    import adapters.composition as ac
    from adapters import AutoAdapterModel, DoubleSeqBnConfig

    base, encoder = base_and_encoder(tmp_path, "bert")
    module = random_module(encoder, "bottleneck", after="ffn", form="parallel")
    publish(tmp_path, encoder, module)
    assert "Do not put it into a `Stack`" in (tmp_path / "out/README.md").read_text()
    model = AutoAdapterModel.from_pretrained(base)
    first = model.load_adapter(str(tmp_path / "out"))
    model.add_adapter("task", config=DoubleSeqBnConfig(init_weights="mam_adapter"))
    model.eval()
    ids, mask, own = own_states(encoder, [module])
    model.set_active_adapters(ac.Stack(first, "task"))
    with torch.no_grad():
        theirs = model(input_ids=ids, attention_mask=mask).last_hidden_state
    assert (theirs - own)[mask.bool()].abs().max() > 1e-2


def test_both_of_adapters_own_ways_to_load_agree(tmp_path):
    from adapters import AutoAdapterModel

    base, encoder = base_and_encoder(tmp_path, "bert")
    publish(tmp_path, encoder, random_module(encoder, "lora"))
    found = []
    for safe in (False, True):
        model = AutoAdapterModel.from_pretrained(base)
        info: dict = {}
        model.load_adapter(str(tmp_path / "out"), use_safetensors=safe, loading_info=info)
        assert not info["missing_keys"]
        assert not info["unexpected_keys"]
        found.append({k: v for k, v in model.state_dict().items() if ".loras." in k})
    assert all(torch.equal(found[0][k], found[1][k]) for k in found[0])


def _take_over(model, task: nn.Module) -> None:
    """Copy adapters' task adapter into a module of ours, by the order of its layers."""
    names = {"down.weight": "adapter_down.0.weight", "down.bias": "adapter_down.0.bias",
             "up.weight": "adapter_up.weight", "up.bias": "adapter_up.bias"}  # fmt: skip
    values = {k: v for k, v in model.state_dict().items() if ".task." in k}
    state = {}
    for key in task.state_dict():
        _, layer, site, rest = key.split(".", 3)
        after_attention = site == "attn_out"
        (value,) = (
            v
            for k, v in values.items()
            if f".layer.{layer}." in k
            and k.endswith(f".{names[rest]}")
            and ("attention" in k) == after_attention
        )
        state[key] = value
    task.load_state_dict(state)


@pytest.mark.parametrize("family", ["bert", "xlmr", "distilbert", "deberta-v3"])
def test_a_task_head_comes_along(tmp_path, family):
    """`load_adapter` finds it, alone and in a stack on a language module."""
    from adapters import AutoAdapterModel
    from adapters.composition import Stack

    base, encoder = base_and_encoder(tmp_path, family)
    task = random_module(encoder, "bottleneck", width=5, after="ffn")
    below = random_module(encoder, "bottleneck", seed=3, width=4, after="ffn", invertible="nice")
    torch.manual_seed(0)
    head = Head("tagging", ["O", "B-X", "I-X"], encoder.width)
    for name, module, own in (("task", task, head), ("lang", below, None)):
        made = manifest_of(encoder, module, name=name)
        write_folder(tmp_path / name, module, encoder, made, verify={}, head=own, loaders="all")
    model = AutoAdapterModel.from_pretrained(base, dtype=torch.float32)
    model.load_adapter(str(tmp_path / "lang"))
    model.load_adapter(str(tmp_path / "task"), set_active=True)
    assert model.active_head == "task" and model.heads["task"].config["label2id"]["I-X"] == 2
    for active, modules in (("task", [task]), (Stack("lang", "task"), [below, task])):
        model.set_active_adapters(active)
        model.active_head = "task"
        ids, mask, own = own_states(encoder, modules)
        with torch.no_grad():
            theirs = model.eval()(input_ids=ids, attention_mask=mask).logits
            ours = head(own)
        real = mask.bool()
        torch.testing.assert_close(theirs[real], ours[real], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", ["bert", "xlmr", "roberta", "distilbert", "deberta-v3"])
@pytest.mark.parametrize(
    "task", ["classification", "multi_label", "pair_scoring", "span_extraction"]
)
def test_heads_over_one_and_two_texts_come_along(tmp_path, family, task):
    """adapters' own head gives our scores, on pairs with the tokenizer's own token types."""
    from adapters import AutoAdapterModel

    base, encoder = base_and_encoder(tmp_path, family)
    if family == "bert":
        with_types(encoder)
    module = random_module(encoder, "lora", rank=3)
    torch.manual_seed(0)
    classes = ["a", "b", "c"]
    labels = {"classification": classes, "multi_label": classes, "pair_scoring": ["score"]}
    scale = (0.0, 5.0) if task == "pair_scoring" else None
    head = Head(task, labels.get(task, ["start", "end"]), encoder.width, scale=scale)
    made = manifest_of(encoder, module, name="task")
    write_folder(tmp_path / "task", module, encoder, made, verify={}, head=head, loaders="all")
    model = AutoAdapterModel.from_pretrained(base, dtype=torch.float32)
    model.load_adapter(str(tmp_path / "task"), set_active=True)
    assert model.active_head == "task"
    lefts, rights = TEXTS, TEXTS[::-1]
    batch = encoder.tokenizer(lefts, rights, padding=True, return_tensors="pt")
    with torch.no_grad():
        theirs = model.eval()(**batch)
    pairs = tokenize_pairs(encoder, lefts, rights)
    assert all((pair.second < len(pair.ids)) == (family == "bert") for pair in pairs)
    acts = Activation.of(ActiveAdapter(encoder, module))
    ids, second = [pair.ids for pair in pairs], [pair.second for pair in pairs]
    tokens, mask = encoder.batch(ids)
    with torch.no_grad():
        hidden = encoder.embed(tokens, mask, second, acts)
        ours = head(encoder.run(hidden, mask, activation=acts))
        first = first_scores(encoder, head, ids, second, acts)
    if task != "span_extraction":
        low, high = head.scale or (0.0, 1.0)  # there the score is on the scale of the data
        wanted = low + (high - low) * first
        torch.testing.assert_close(theirs.logits, wanted, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(ours[:, 0], first, rtol=1e-4, atol=1e-5)
        return
    for number, logits in enumerate((theirs.start_logits, theirs.end_logits)):
        real = mask.bool()
        torch.testing.assert_close(logits[real], ours[..., number][real], rtol=1e-4, atol=1e-5)


def with_types(encoder):
    """A tokenizer that tells segments apart, as BERT's does."""
    own = encoder.tokenizer
    ids = [(token, own.convert_tokens_to_ids(token)) for token in ("<s>", "</s>")]
    own.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=ids
    )
    own.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
