from __future__ import annotations

import torch
from tiny_models import padded, tiny_encoder
from tiny_training import digest, forward, module_for, tagged, trainer

from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.objectives.tagging import Tagging
from xadapt.training.tasks import Task


def test_it_changes_nothing_and_the_head_still_learns(tmp_path):
    encoder = tiny_encoder("bert", mlm=True)
    module = module_for(encoder, "none", layers="all")
    assert not list(module.parameters()) and module.hooks() == []
    tokens, mask = padded(encoder)
    base = forward(encoder, tokens, mask)
    acts = Activation.of(ActiveAdapter(encoder, module))
    assert torch.equal(forward(encoder, tokens, mask, acts), base)
    run = trainer(tmp_path, [Task("t", Tagging(), tagged(8))], encoder=encoder, module=module)
    before = digest(run.trained["heads"])
    run.train()
    assert digest(run.trained["heads"]) != before
