import json

import pytest
import torch
from tiny_folders import base_and_encoder
from tiny_models import FAMILIES, padded

from xadapt.integrations import plain


@pytest.mark.parametrize("family", FAMILIES)
def test_the_plain_model_gives_the_encoders_states(tmp_path, family):
    base, encoder = base_and_encoder(tmp_path, family)
    ids, mask = padded(encoder)
    theirs = plain.last_states(plain.load(base), ids, mask)
    own = encoder.run(encoder.embed(ids, mask), mask)
    real = mask.bool()
    torch.testing.assert_close(theirs[real], own[real], rtol=1e-5, atol=1e-5)


def test_only_a_copy_is_made_to_name_the_base(tmp_path):
    folder = tmp_path / "f"
    folder.mkdir()
    settings = {"base_model_name_or_path": "a/b", "revision": "r", "r": 3}
    (folder / plain.CONFIG).write_text(json.dumps(settings))
    with plain.naming_base(folder, "/x/y") as copy:
        named = json.loads((copy / plain.CONFIG).read_text())
        assert named == {"base_model_name_or_path": "/x/y", "revision": None, "r": 3}
    assert not copy.exists()
    assert json.loads((folder / plain.CONFIG).read_text()) == settings
