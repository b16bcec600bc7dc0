"""Every objective, module and reader, found by the registry, keeps its contract."""

from __future__ import annotations

import dataclasses
import inspect
import random
from functools import partial
from pathlib import Path

import pytest
import torch
import yaml
from pydantic import ValidationError
from tiny_models import FAMILIES, padded, tiny_encoder
from tiny_training import (
    digest,
    forward,
    labelled,
    pairs,
    plain,
    questions,
    scored,
    shaken,
    stated,
    tagged,
)

from xadapt.backbones.cache.frozen_vectors import FrozenVectors
from xadapt.backbones.encoder.pairs import tokenize_pairs, tokenize_windows
from xadapt.backbones.encoder.words import tokenize_words
from xadapt.composition.composed import Composed
from xadapt.composition.values import Fuse, Route
from xadapt.config import recipe
from xadapt.config.recipe_file import find_recipe, load_recipe, recipe_names
from xadapt.core import registry
from xadapt.data.records import (
    LabelledText,
    OpenTriples,
    ParallelPair,
    PlainText,
    Question,
    Record,
    ScoredPair,
    TaggedSentence,
)
from xadapt.data.transforms.protocol import CALLABLES, Transform
from xadapt.injection.attachment import Attachment, geometry
from xadapt.modules.effects import Effect, ModuleOptions
from xadapt.modules.storage import build
from xadapt.objectives.contract import Bank, States, View, bank_rows, call, heads_of

TESTS = Path(__file__).parent
OBJECTIVES = registry.names("objectives")
MODULES = registry.names("modules")
RECORDS = {
    ParallelPair: pairs,
    PlainText: plain,
    TaggedSentence: tagged,
    LabelledText: labelled,
    ScoredPair: scored,
    Question: questions,
    OpenTriples: stated,
}


def leads(name):
    """Whether a kind acts through other modules."""
    return hasattr(registry.load("modules", name), "leads")


@pytest.fixture(scope="module")
def encoder():
    return tiny_encoder("bert", mlm=True)


def part(name):
    return registry.load("objectives", name)


def run(name, encoder, records, order=None, seed=3):
    """An objective's loss on records, its encoded views, and which views the module acts on."""
    objective = part(name)()
    prepare = getattr(objective, "prepare", None)
    memory = prepare(records) if prepare else None
    torch.manual_seed(0)
    rows = bank_rows(objective, memory)
    services = {
        "tokenizer": encoder.tokenizer,
        "tokenize": encoder.tokenize,
        "tokenize_words": lambda sentences: tokenize_words(encoder, sentences),
        "tokenize_pairs": partial(tokenize_pairs, encoder),
        "tokenize_windows": partial(tokenize_windows, encoder),
        "lm_head": encoder.mlm_head(),
        "memory": memory,
        "heads": heads_of(objective, encoder.width, memory),
        "bank": Bank(FrozenVectors(encoder, None).get(rows)) if rows else None,
        "companions": {},
        "vocabulary": 200,
        "step": 0,
    }
    batch = [records[i] for i in order] if order else records
    made = call(objective.views, {**services, "records": batch, "rng": random.Random(seed)})
    views = {key: value for key, value in made.items() if isinstance(value, View)}
    encoded = {}
    for key, view in views.items():
        ids = encoder.tokenize(view.rows) if isinstance(view.rows[0], str) else view.rows
        tokens, mask = encoder.batch(ids)
        states = forward(encoder, tokens, mask)
        value = states if view.output == "states" else encoder.pool(states, mask)
        value = value.clone().requires_grad_()
        encoded[key] = States(value, mask) if view.output == "states" else value
    return call(objective.loss, {**services, **made, **encoded}), encoded, views


def leaf(value):
    return value.hidden if isinstance(value, States) else value


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objective_is_a_documented_frozen_dataclass(name):
    kind = part(name)
    assert dataclasses.is_dataclass(kind) and kind.__dataclass_params__.frozen
    assert len(inspect.getdoc(kind)) > 80
    assert issubclass(kind.consumes, Record) and kind.source.startswith("https://")
    assert isinstance(kind.coupled, bool)
    for field in dataclasses.fields(kind):
        assert field.default is not dataclasses.MISSING, f"{field.name} has no default"
        assert f"{field.name}:" in inspect.getdoc(kind), f"{field.name} is not documented"
        assert field.name not in recipe.ObjectiveSpec.model_fields
    with pytest.raises(ValidationError):
        recipe.strict(kind).validate_python({"no_such_option": 1})


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objective_gives_one_finite_loss_a_record(name, encoder):
    records = RECORDS[part(name).consumes](7)
    loss, encoded, views = run(name, encoder, records)
    assert views and loss.values.shape == (7,) and loss.values.dtype == torch.float32
    assert torch.isfinite(loss.values).all() and torch.isfinite(loss.total())
    assert loss.weights is None or (loss.weights.shape == (7,) and (loss.weights >= 0).all())
    assert all(len(leaf(v)) == 7 for v in encoded.values())


@pytest.mark.parametrize("name", OBJECTIVES)
def test_permuting_records_permutes_losses(name, encoder):
    records = RECORDS[part(name).consumes](7)
    order = [3, 0, 6, 2, 5, 1, 4]
    plain_loss, _, _ = run(name, encoder, records)
    mixed, _, _ = run(name, encoder, records, order)
    assert torch.allclose(mixed.values, plain_loss.values[order], atol=1e-5)
    if mixed.weights is not None:
        assert torch.equal(mixed.weights, plain_loss.weights[order])


@pytest.mark.parametrize("name", [n for n in OBJECTIVES if not part(n).coupled])
def test_uncoupled_losses_do_not_know_the_other_records(name, encoder):
    records = RECORDS[part(name).consumes](6)
    whole, _, _ = run(name, encoder, records)
    half, _, _ = run(name, encoder, records, [1, 4])
    assert torch.allclose(half.values, whole.values[[1, 4]], atol=1e-5)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_gradient_reaches_every_view_with_the_module(name, encoder):
    records = RECORDS[part(name).consumes](5)
    loss, encoded, views = run(name, encoder, records)
    loss.total().backward()
    active = [key for key, view in views.items() if view.module is True]
    assert active
    for key in active:
        assert leaf(encoded[key]).grad.abs().flatten(1).sum(1).min() > 0, key


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_recipe_uses_the_objective_and_a_test_tries_it(name):
    assert (TESTS / "objectives" / f"test_{name}.py").is_file()
    used = [
        r
        for r in recipe_names()
        if name in {o.name for o in load_recipe(find_recipe(r)).objectives}
    ]
    assert used, f"no recipe in adapter_configs uses {name}"


@pytest.mark.parametrize("name", MODULES)
def test_module_kind_is_documented_and_tried(name):
    kind = registry.load("modules", name)
    assert kind.kind == name and len(inspect.getdoc(kind)) > 80 and "https://" in kind.__doc__
    assert issubclass(kind.Options, ModuleOptions)
    assert (TESTS / "modules" / f"test_{name}.py").is_file()
    for field in kind.Options.model_fields:
        documented = inspect.getdoc(kind.Options) + inspect.getdoc(ModuleOptions)
        assert f"{field}:" in documented, f"{field} is not documented"
    with pytest.raises(ValidationError):
        kind.Options(no_such_option=1)
    assert any(load_recipe(find_recipe(r)).module.kind == name for r in recipe_names())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", [n for n in MODULES if n != "none" and not leads(n)])
def test_module_has_no_effect_at_birth_and_then_some(name, family):
    encoder = tiny_encoder(family)
    kind = registry.load("modules", name)
    one, same = (kind(kind.Options(), geometry(encoder), seed=1) for _ in range(2))
    assert digest(one) == digest(same) != digest(kind(kind.Options(), geometry(encoder), seed=2))
    assert all(p.dtype == torch.float32 for p in one.parameters())
    assert one.effects() and all(isinstance(e, Effect) for e in one.effects())
    tokens, mask = padded(encoder)
    base = forward(encoder, tokens, mask)
    with Attachment(encoder, one).on():
        assert torch.equal(forward(encoder, tokens, mask), base)
        shaken(one)
        assert (forward(encoder, tokens, mask) - base).abs().max() > 1e-3


@pytest.mark.parametrize("family", ["bert", "modernbert", "t5"])
@pytest.mark.parametrize("name", [name for name in MODULES if leads(name)])
def test_a_leader_acts_through_others_alone(name, family):
    encoder = tiny_encoder(family)
    kind = registry.load("modules", name)
    leader = kind(kind.Options(experts=2, sites=["ffn_out"]), geometry(encoder), seed=1)
    assert leader.effects() == [] and all(p.dtype == torch.float32 for p in leader.parameters())
    led = {"route": Route, "fuse": Fuse}[kind.leads]("leader", ["a", None])
    made = build("lora", {"sites": ["ffn_out"]}, geometry(encoder), seed=3)
    whole = Composed(led, {"leader": leader, "a": made})
    tokens, mask = padded(encoder)
    base = forward(encoder, tokens, mask)
    with Attachment(encoder, whole).on():
        assert (forward(encoder, tokens, mask) - base).abs().max() < 1e-5  # a has no effect yet
        shaken(made)
        forward(encoder, tokens, mask).square().sum().backward()
    got = [p.grad is not None and bool(p.grad.any()) for p in leader.parameters()]
    assert any(got), "no gradient reaches the leader"


@pytest.mark.parametrize("name", registry.names("readers"))
def test_reader_says_what_it_gives(name):
    kind = registry.load("readers", name)
    assert issubclass(kind.gives, Record) and kind.format and inspect.getdoc(kind)
    assert callable(kind().claims) and callable(kind().read)
    assert (TESTS / "readers" / f"test_{name}.py").is_file()


@pytest.mark.parametrize("name", registry.names("transforms"))
def test_transform_is_a_documented_frozen_dataclass(name):
    kind = registry.load("transforms", name)
    made = kind()
    assert dataclasses.is_dataclass(kind) and kind.__dataclass_params__.frozen
    assert isinstance(made, Transform) and made.applies in ("all", "data", "train")
    assert issubclass(made.consumes, Record) and issubclass(made.gives, Record)
    assert made.applies != "train" or made.gives is made.consumes
    assert set(made.needs) <= set(CALLABLES), "a new callable is described in CALLABLES"
    assert len(inspect.getdoc(kind)) > 80 and "https://" in inspect.getdoc(kind)
    for field in dataclasses.fields(kind):
        assert field.default is not dataclasses.MISSING, f"{field.name} has no default"
        assert f"{field.name}:" in inspect.getdoc(kind), f"{field.name} is not documented"
        assert field.name not in recipe.TransformSpec.model_fields
    with pytest.raises(ValidationError):
        recipe.strict(kind).validate_python({"no_such_option": 1})
    found = [file.name for file in TESTS.rglob(f"test_{name}.py")]
    assert found, f"no test_{name}.py"


@pytest.mark.parametrize("name", recipe_names())
def test_recipe_says_where_it_comes_from(name):
    found = load_recipe(find_recipe(name))
    assert found.description and found.source.paper and found.source.url.startswith("https://")
    first = find_recipe(name).read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# xadapt "), "a recipe begins with the command that runs it"
    assert yaml.safe_load(find_recipe(name).read_text(encoding="utf-8"))["name"] == name
