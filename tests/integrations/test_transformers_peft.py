import pytest
import torch
from tiny_folders import base_and_encoder, manifest_of, own_states, random_module
from tiny_models import FAMILIES

from xadapt.hub.folder import write_folder
from xadapt.integrations import transformers_peft as bridge

pytest.importorskip("peft")


@pytest.mark.parametrize("family", FAMILIES)
def test_transformers_alone_computes_what_we_compute(tmp_path, family):
    base, encoder = base_and_encoder(tmp_path, family)
    module = random_module(encoder, "lora", rank=3, alpha=7, rank_pattern={"k": 2})
    write_folder(tmp_path / "out", module, encoder, manifest_of(encoder, module), verify={})
    ids, mask, own = own_states(encoder, [module])
    off = encoder.run(encoder.embed(ids, mask), mask)
    theirs = bridge.states(tmp_path / "out", base, ids, mask)
    real = mask.bool()
    torch.testing.assert_close(theirs[real], own[real], rtol=1e-5, atol=1e-5)
    assert (own - off)[real].abs().max() > 1e-2
