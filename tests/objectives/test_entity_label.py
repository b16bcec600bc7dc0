"""EP: what is drawn, and the faults of the published code that are not here."""

from __future__ import annotations

import random

import pytest
import torch
from tiny_models import tiny_encoder
from tiny_training import module_for, named_entities, named_triples, shaken, trainer

from xadapt.data.records import EntityNames
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.objectives.entity_label import EntityLabels
from xadapt.objectives.triple_phrase import TriplePhrases
from xadapt.training.forward import Request
from xadapt.training.tasks import Task

NAMES = (("en", "Berlin City"), ("sw", "Berlini"), ("en", "Capital of Germany"))
ROW = EntityNames("Q64", "Berlin", "Berlin City", "de", "en", NAMES)


def test_the_other_name_is_drawn_and_differs():
    drawn = set()
    for seed in range(40):
        made = EntityLabels().views([ROW], random.Random(seed))
        assert made["query"].rows == ["Berlin"] and made["query"].langs == ["de"]
        drawn.add((made["name"].langs[0], made["name"].rows[0]))
        [asked] = made["asked"]
        assert asked.names == {"berlin", "berlincity", "berlini", "capitalofgermany"}
    assert drawn == set(NAMES)


def test_a_row_without_others_takes_the_pivot():
    made = EntityLabels().views([EntityNames("Q64", "Berlin", "Berlim", "de", "pt")],
                                random.Random(0))  # fmt: skip
    assert (made["name"].rows, made["name"].langs) == (["Berlim"], ["pt"])


def test_vectors_do_not_depend_on_batch_mates(tmp_path):
    """The published pooling runs over padding, so that a long row changes its neighbours."""
    encoder = tiny_encoder("bert")
    module = shaken(module_for(encoder))
    long = EntityNames("Q1", "hund " * 20, "dog " * 20, "de", "en", (("en", "dog " * 20),))
    rows = [*named_entities(3), long]
    run = trainer(tmp_path, [Task("ep", EntityLabels(), rows)], encoder=encoder, module=module)
    view = EntityLabels().views(rows, random.Random(0))["query"]
    [together] = run.forward([Request(view, True)])
    acts = Activation.of(ActiveAdapter(encoder, module))
    for text, own in zip(view.rows, together, strict=True):
        tokens, mask = encoder.batch(encoder.tokenize([text]))
        hidden = encoder.run(encoder.embed(tokens, mask, activation=acts), mask, activation=acts)
        assert torch.allclose(hidden[0].float().mean(0), own, atol=1e-5)


def test_each_gradient_is_applied_once(tmp_path):
    """The published code clears gradients once for two losses: one of them counts twice."""
    encoder = tiny_encoder("bert")
    entities = [
        EntityNames(r.entity, r.text, r.pivot, r.lang, r.pivot_lang, r.others[:1])
        for r in named_entities(6)
    ]
    tasks = [
        Task("ep", EntityLabels(), entities, data="names"),
        Task("tp", TriplePhrases(), named_triples(6), data="facts"),
    ]
    # so small a rate changes no weight: equal batches have equal gradients
    run = trainer(tmp_path, tasks, encoder=encoder, module=shaken(module_for(encoder), scale=0.05),
                  batch_size=6, epochs=1, learning_rate=1e-30, clip=0, warmup=0,
                  schedule="constant", evaluations=1)  # fmt: skip
    own = {}
    parts = list(run.trained.parameters())
    for number, task in enumerate(tasks):
        services = run._services(number)
        views = task.views(list(range(6)), random.Random(f"0:{number}:0"), services, run.processes)
        loss, _ = task.loss(views, run.forward(views.requests), services, run.processes)
        own[number] = torch.autograd.grad(loss, parts)
    seen = []
    run.optimizer.register_step_pre_hook(lambda *_: seen.append([p.grad.clone() for p in parts]))
    run.train()
    [step] = seen
    got, one, other = (torch.cat([g.flatten() for g in some]) for some in (step, own[0], own[1]))
    assert (got - one - other).norm() < 1e-3 * got.norm()
    assert min(one.norm(), other.norm()) > 0.05 * got.norm(), "a gradient twice would be seen"


def test_it_learns_names(tmp_path):
    encoder = tiny_encoder("bert")
    rows = named_entities(24)
    run = trainer(tmp_path, [Task("ep", EntityLabels(), rows)], encoder=encoder, batch_size=24,
                  epochs=40, learning_rate=1e-2, evaluations=1)  # fmt: skip
    before = loss_of(run, rows)
    run.train()
    assert loss_of(run, rows) < 0.7 * before


def loss_of(run, rows):
    [task] = run.tasks
    with torch.no_grad():
        views = task.views(list(range(len(rows))), random.Random(1), run._services(0),
                           run.processes)  # fmt: skip
        loss, _ = task.loss(views, run.forward(views.requests), run._services(0), run.processes)
    return float(loss)


def test_options_are_checked():
    with pytest.raises(ValueError, match="temperature"):
        EntityLabels(temperature=-1)
