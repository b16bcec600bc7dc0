import logging
import warnings
from importlib.metadata import version

import pytest
import torch
from tiny_folders import TEXTS, base_and_encoder, manifest_of, own_states, random_module
from tiny_models import tiny_encoder

from xadapt.core.errors import UserError
from xadapt.hub.folder import write_folder
from xadapt.integrations import sentence_transformers as bridge

pytest.importorskip("sentence_transformers")
pytest.importorskip("peft")
MAJOR = int(version("sentence-transformers").partition(".")[0])


@pytest.mark.parametrize(
    "family", ["bert", "roberta", "xlmr", "distilbert", "deberta-v3", "modernbert"]
)
def test_a_folder_opens_by_its_name_alone(tmp_path, family):
    base, encoder = base_and_encoder(tmp_path, family)
    module = random_module(encoder, "lora", rank=3, alpha=7)
    write_folder(tmp_path / "out", module, encoder, manifest_of(encoder, module), verify={})
    ids, mask, own = own_states(encoder, [module])
    real = mask.bool()
    theirs = bridge.states(tmp_path / "out", base, ids, mask)
    torch.testing.assert_close(theirs[real], own[real], rtol=1e-5, atol=1e-5)
    theirs = bridge.vectors(tmp_path / "out", base, TEXTS)
    torch.testing.assert_close(theirs, encoder.pool(own, mask), rtol=1e-5, atol=1e-5)


def test_the_published_folder_is_not_touched(tmp_path):
    base, encoder = base_and_encoder(tmp_path, "bert")
    module = random_module(encoder, "lora")
    out = tmp_path / "out"
    write_folder(out, module, encoder, manifest_of(encoder, module), verify={})
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    bridge.vectors(out, base, TEXTS)
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before


def test_a_module_that_it_cannot_hold_says_how_to_load_it(tmp_path):
    """Adapters' settings alone would end in a TypeError of peft."""
    from sentence_transformers import SentenceTransformer

    encoder = tiny_encoder("bert")
    for kind, loaders in (("bottleneck", None), ("lora", "adapters")):
        module, out = random_module(encoder, kind), tmp_path / kind
        made = manifest_of(encoder, module)
        write_folder(out, module, encoder, made, verify={}, loaders=loaders)
        given = {"device": "cpu", "local_files_only": True}
        if MAJOR > 5:  # asks first whether the class of another package may be imported
            with pytest.raises(ValueError, match="only_in_xadapt"):
                SentenceTransformer(str(out), **given)
            given["trust_remote_code"] = True
        with pytest.raises(UserError, match=r"can't hold this module\. Load it with xadapt"):
            SentenceTransformer(str(out), **given)


def test_nothing_of_the_folder_is_deprecated(tmp_path, caplog):
    base, encoder = base_and_encoder(tmp_path, "xlmr")
    module = random_module(encoder, "lora")
    out = tmp_path / "out"
    write_folder(
        out,
        module,
        encoder,
        manifest_of(encoder, module),
        verify={},
        loaders="peft,sentence-transformers",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bridge.vectors(out, base, TEXTS)
    told = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert not [line for line in told if "deprecat" in line.lower() or "ignored" in line]
