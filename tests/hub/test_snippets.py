import json

import pytest
import torch
from tiny_folders import BASE_ID, base_and_encoder, manifest_of, own_states, random_module
from tiny_models import tiny_encoder

from xadapt.backbones.encoder.pooling import Pooling, pool
from xadapt.hub.folder import write_folder
from xadapt.hub.snippets import POOLS, pooling_code, snippets


@pytest.mark.parametrize("mode", POOLS)
@pytest.mark.parametrize("normalise", [False, True])
def test_the_printed_pooling_is_the_bases_own(mode, normalise):
    pooling = Pooling(modes=(mode, "mean"), normalise=normalise)
    encoder = tiny_encoder("bert", pooling=pooling)
    manifest = manifest_of(encoder, random_module(encoder, "lora"))
    states, mask = torch.randn(3, 5, 8), torch.tensor([[1] * 5, [1, 1, 0, 0, 0], [1, 1, 1, 0, 0]])
    names = {"torch": torch, "states": states, "batch": {"attention_mask": mask}}
    exec("\n".join(pooling_code(manifest)), names)
    torch.testing.assert_close(names["vectors"], pool(states, mask, pooling))


@pytest.mark.parametrize(
    ("family", "kind", "package"),
    [
        ("xlmr", "lora", "peft"),
        ("xlmr", "lora", "transformers"),
        ("xlmr", "lora", "adapters"),
        ("bert", "bottleneck", "adapters"),
        ("t5", "lora", "peft"),
        ("t5", "lora", "transformers"),
        ("t5", "lora", "adapters"),
        ("m2m100", "lora", "peft"),
        ("m2m100", "lora", "transformers"),
        ("modernbert", "lora", "peft"),
    ],
)
def test_the_printed_code_gives_our_vectors(tmp_path, family, kind, package):
    try:
        __import__({"transformers": "peft"}.get(package, package))
    except Exception:
        pytest.skip(f"{package} can't be imported here")
    base, encoder = base_and_encoder(tmp_path, family)
    module = random_module(encoder, kind)
    manifest = write_folder(
        tmp_path / "out", module, encoder, manifest_of(encoder, module), verify={}, loaders="all"
    )
    code = snippets(manifest)[package]
    code = code.replace(json.dumps(BASE_ID), json.dumps(base)).replace(
        "FOLDER", str(tmp_path / "out")
    )
    names: dict = {}
    exec(code, names)
    texts = ("A sentence.", "Another, longer one.")
    _, mask, states = own_states(encoder, [module], texts)
    torch.testing.assert_close(
        names["vectors"].float(), encoder.pool(states, mask), rtol=1e-5, atol=1e-5
    )


def test_prompt_length_and_lower_case_are_in_the_code():
    pooling = Pooling(prompt="Query: ", prompts={"q": "Query: "}, lower=True, max_length=17)
    encoder = tiny_encoder("bert", pooling=pooling)
    loaders = {"peft": {"status": "unverified"}}
    code = snippets(manifest_of(encoder, random_module(encoder, "lora"), loaders=loaders))["peft"]
    assert '"query: a sentence."' in code
    assert "max_length=17" in code
