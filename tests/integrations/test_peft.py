import pytest
import torch
from tiny_folders import base_and_encoder, manifest_of, own_states, random_module
from tiny_models import FAMILIES

from xadapt.hub.folder import write_folder
from xadapt.integrations import peft as bridge

pytest.importorskip("peft")
MODULES = {
    "plain": {"rank": 3, "alpha": 7},
    "mixed": {
        "sites": ("q", "k", "v", "attn_out", "ffn_in", "ffn_out"),
        "rank": 3,
        "alpha": 7,
        "rank_pattern": {"q": 2, "ffn_in": 5},
        "alpha_pattern": {"v": 3.0},
        "layers": (1, 3),
    },
    "one": {"sites": ("ffn_out",), "rank": 1, "alpha": 1},
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", MODULES)
def test_peft_computes_what_we_compute(tmp_path, family, name):
    base, encoder = base_and_encoder(tmp_path, family)
    module = random_module(encoder, "lora", **MODULES[name])
    write_folder(tmp_path / "out", module, encoder, manifest_of(encoder, module), verify={})
    ids, mask, own = own_states(encoder, [module])
    off = encoder.run(encoder.embed(ids, mask), mask)
    theirs = bridge.states(tmp_path / "out", base, ids, mask)
    real = mask.bool()
    torch.testing.assert_close(theirs[real], own[real], rtol=1e-5, atol=1e-5)
    assert (own - off)[real].abs().max() > 1e-2


@pytest.mark.parametrize("family", ["bert", "modernbert"])
def test_it_also_loads_on_the_model_with_a_head(tmp_path, family):
    """The folder names paths inside the plain model; PEFT finds them inside a larger one too."""
    from peft import PeftModel
    from tiny_models import tiny_folder
    from transformers import AutoModelForMaskedLM

    from xadapt.backbones.encoder.encoder import Encoder

    base = str(tiny_folder(tmp_path / "base", family, mlm=True))
    encoder = Encoder.from_pretrained(base, dtype="float32", device="cpu")
    module = random_module(encoder, "lora", **MODULES["mixed"])
    write_folder(tmp_path / "out", module, encoder, manifest_of(encoder, module), verify={})
    whole = AutoModelForMaskedLM.from_pretrained(base, dtype=torch.float32).eval()
    loaded = PeftModel.from_pretrained(whole, str(tmp_path / "out"))
    targets = {n for n, m in loaded.named_modules() if hasattr(m, "lora_A") and m.lora_A}
    assert len(targets) == (12 if family == "bert" else 8)
