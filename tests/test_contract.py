"""Every objective, module, reader and task, found by the registry, keeps its contract."""

from __future__ import annotations

import dataclasses
import inspect
import io
import json
import random
from functools import partial
from pathlib import Path

import pytest
import torch
import yaml
from pydantic import ValidationError
from rich.console import Console
from tiny_models import FAMILIES, padded, tiny_encoder
from tiny_seq2seq_training import rows as text_to_text
from tiny_seq2seq_training import small
from tiny_training import (
    candidate_lists,
    described,
    digest,
    forward,
    hooks_do_nothing,
    labelled,
    labelled_pairs,
    linked,
    linked_sentences,
    mentioned,
    module_for,
    multi_labelled,
    named_entities,
    named_triples,
    pairs,
    plain,
    questions,
    rated,
    related,
    scored,
    shaken,
    spanned,
    stated,
    tagged,
    text_pairs,
    translated,
    translated_questions,
    translated_words,
    word_pairs,
)

from xadapt.backbones.cache.frozen_vectors import FrozenVectors
from xadapt.backbones.encoder.layers_copy import LayersCopy
from xadapt.backbones.encoder.pairs import tokenize_pairs, tokenize_windows
from xadapt.backbones.encoder.text_places import tokenize_places
from xadapt.backbones.encoder.words import tokenize_word_windows, tokenize_words
from xadapt.backbones.seq2seq.text_tokens import TextTokens
from xadapt.composition.composed import Composed
from xadapt.composition.values import Fuse, Route
from xadapt.config import recipe
from xadapt.config.recipe_file import find_recipe, load_recipe, recipe_names
from xadapt.core import registry
from xadapt.data.records import (
    AlignedSpans,
    AlignedWords,
    CandidateList,
    DescribedEntity,
    EntityMention,
    EntityNames,
    LabelledPair,
    LabelledText,
    LabelPair,
    LinkedSentence,
    MultiLabelText,
    NamedTriple,
    OpenTriples,
    ParallelPair,
    PlainText,
    Question,
    RatedText,
    Record,
    RelationExample,
    ScoredPair,
    TaggedSentence,
    TextPair,
    TextToText,
    TranslatedQuestion,
    TranslatedSentence,
    TranslatedText,
    WordPair,
)
from xadapt.data.transforms.protocol import CALLABLES, Transform
from xadapt.heads.head import POINTING, RELATION, Head
from xadapt.injection.activation import Activation, ActiveAdapter
from xadapt.injection.attachment import model_shape
from xadapt.modules.hooks import AdapterHook, ModuleOptions
from xadapt.modules.storage import build
from xadapt.objectives.contract import (
    SEQ2SEQ,
    Bank,
    FusedView,
    States,
    TargetLosses,
    TargetView,
    View,
    backbone_of,
    bank_rows,
    call,
    further_data,
    heads_of,
)
from xadapt.tasks.head_task import HeadTask
from xadapt.tasks.protocol import find, options_of

TESTS = Path(__file__).parent
OBJECTIVES = registry.names("objectives")
MODULES = registry.names("modules")
TASKS = registry.names("tasks")
RECORDS = {
    ParallelPair: pairs,
    PlainText: plain,
    TaggedSentence: tagged,
    LabelledText: labelled,
    RatedText: rated,
    TranslatedText: translated,
    TranslatedQuestion: translated_questions,
    TranslatedSentence: translated_words,
    MultiLabelText: multi_labelled,
    LabelledPair: labelled_pairs,
    ScoredPair: scored,
    TextPair: text_pairs,
    CandidateList: candidate_lists,
    Record: text_pairs,
    Question: questions,
    RelationExample: related,
    OpenTriples: stated,
    WordPair: word_pairs,
    AlignedWords: linked,
    AlignedSpans: spanned,
    EntityNames: named_entities,
    NamedTriple: named_triples,
    DescribedEntity: described,
    EntityMention: mentioned,
    LinkedSentence: linked_sentences,
    TextToText: text_to_text,
    LabelPair: lambda n: [LabelPair(str(i), p.text, p.pivot, "de") for i, p in enumerate(pairs(n))],
}


def leads(name):
    """Whether a kind acts through other modules."""
    return hasattr(registry.load("modules", name), "leads")


@pytest.fixture(scope="module")
def encoder():
    return tiny_encoder("bert", mlm=True)


def part(name):
    return registry.load("objectives", name)


def embedded(encoder, rows):
    tokens, mask = encoder.batch(rows)
    return States(encoder.embed(tokens, mask), mask)


def memory_of(objective, records):
    """What an objective prepares of its records and of further data."""
    prepare = getattr(objective, "prepare", None)
    further = {entry: RECORDS[kind](40) for entry, kind in further_data(objective).items()}
    return prepare(records, **further) if prepare else None


def companions(encoder):
    """The head of a teacher, for objectives that learn from one."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return {"teacher": Head("tagging", ("O", "B-ANIMAL", "I-ANIMAL"), encoder.width)}


def run(name, encoder, records, order=None, seed=3):
    """An objective's loss on records, its encoded views, and which views the module acts on."""
    objective = part(name)()
    memory = memory_of(objective, records)
    torch.manual_seed(0)
    rows = bank_rows(objective, memory)
    services = {
        "tokenizer": encoder.tokenizer,
        "tokenize": encoder.tokenize,
        "tokenize_words": lambda sentences: tokenize_words(encoder, sentences),
        "tokenize_word_windows": lambda words: tokenize_word_windows(encoder, words),
        "tokenize_pairs": partial(tokenize_pairs, encoder),
        "tokenize_places": partial(tokenize_places, encoder),
        "tokenize_windows": partial(tokenize_windows, encoder),
        "lm_head": encoder.mlm_head(),
        "memory": memory,
        "heads": heads_of(
            objective,
            encoder.width,
            memory,
            {"copy_layers": partial(LayersCopy, encoder), "companions": companions(encoder)},
        ),
        "bank": Bank(FrozenVectors(encoder, None).get(rows)) if rows else None,
        "companions": companions(encoder),
        "vocabulary": 200,
        "depth": encoder.depth,
        "max_length": encoder.max_length,
        "embed": lambda rows: embedded(encoder, rows),
        "step": 0,
        "prompts": {},
        "dimensions": (),
        "teacher_vectors": lambda texts, side: FrozenVectors(encoder, None).get(texts).flip(-1),
    }
    if backbone_of(objective) == SEQ2SEQ:
        services |= writing()
    batch = [records[i] for i in order] if order else records
    made = call(objective.views, {**services, "records": batch, "rng": random.Random(seed)})
    views = {key: value for key, value in made.items() if isinstance(value, View)}
    encoded = {}
    for key, view in views.items():
        encoded[key] = encode(encoder, view, view.rows)
        if isinstance(view, FusedView):
            beside = encode(encoder, view, view.paired_rows)
            encoded[key] = dataclasses.replace(encoded[key], paired=beside)
    return call(objective.loss, {**services, **made, **encoded}), encoded, views


def writing():
    """What objectives of encoder-decoders name, of a base with sentinels."""
    tokens = TextTokens(small())
    return {
        "tokenizer": tokens.tokenizer,
        "tokenize": tokens.sources,
        "tokenize_sources": lambda texts, langs, into: tokens.sources(texts),
        "tokenize_targets": lambda texts, langs: tokens.targets(texts),
        "languages_in_words": tokens.in_words,
        "sentinels": tokens.sentinels,
    }


def encode(encoder, view, rows):
    """The rows of a view, as leaves of a graph."""
    if isinstance(view, TargetView):
        return written(view)
    ids = encoder.tokenize(rows) if isinstance(rows[0], str) else rows
    tokens, mask = encoder.batch(ids)
    known = tokens.clamp(max=199)  # ids of the module's own have no vector here
    states = forward(encoder, known, mask)
    value = states if view.output == "states" else encoder.pool(states, mask)
    value = value.clone().requires_grad_()
    return States(value, mask) if view.output == "states" else value


def written(view):
    """Losses of targets that depend on source and target alone."""
    losses = [-one for one in small().score(small().encode(view.rows), view.targets)]
    values = torch.nn.utils.rnn.pad_sequence(losses, batch_first=True).detach().requires_grad_()
    mask = torch.nn.utils.rnn.pad_sequence([torch.ones(len(one)) for one in losses], True)
    return TargetLosses(values, mask)


def leaf(value):
    if isinstance(value, TargetLosses):
        return value.values
    return value.hidden if isinstance(value, States) else value


def leaves(value):
    """The states of a view, and of the paired rows of a fused view."""
    paired = getattr(value, "paired", None)
    return [leaf(value), *([] if paired is None else [leaf(paired)])]


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
    several = part(name).consumes is CandidateList  # a row for each candidate
    assert all((len(leaf(v)) > 7) if several else (len(leaf(v)) == 7) for v in encoded.values())


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
        grads = [one.grad for one in leaves(encoded[key]) if one.grad is not None]
        assert sum(grad.abs().flatten(1).sum(1) for grad in grads).min() > 0, key


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
    one, same = (kind(kind.Options(), model_shape(encoder), seed=1) for _ in range(2))
    assert digest(one) == digest(same) != digest(kind(kind.Options(), model_shape(encoder), seed=2))
    assert all(p.dtype == torch.float32 for p in one.parameters())
    assert one.hooks() and all(isinstance(e, AdapterHook) for e in one.hooks())
    tokens, mask = padded(encoder)
    base = forward(encoder, tokens, mask)
    acts = Activation.of(ActiveAdapter(encoder, one))
    assert torch.equal(forward(encoder, tokens, mask, acts), base)
    shaken(one)
    assert (forward(encoder, tokens, mask, acts) - base).abs().max() > 1e-3


@pytest.mark.parametrize("family", ["bert", "modernbert", "t5"])
@pytest.mark.parametrize("name", [name for name in MODULES if leads(name)])
def test_a_router_or_fusion_acts_through_others_alone(name, family):
    encoder = tiny_encoder(family)
    kind = registry.load("modules", name)
    router = kind(kind.Options(experts=2, sites=["ffn_out"]), model_shape(encoder), seed=1)
    assert router.hooks() == [] and all(p.dtype == torch.float32 for p in router.parameters())
    routed = {"route": Route, "fuse": Fuse}[kind.leads]("router", ["a", None])
    made = build("lora", {"sites": ["ffn_out"]}, model_shape(encoder), seed=3)
    whole = Composed(routed, {"router": router, "a": made})
    tokens, mask = padded(encoder)
    base = forward(encoder, tokens, mask)
    acts = Activation.of(ActiveAdapter(encoder, whole))
    assert (forward(encoder, tokens, mask, acts) - base).abs().max() < 1e-5  # a has no effect yet
    shaken(made)
    forward(encoder, tokens, mask, acts).square().sum().backward()
    got = [p.grad is not None and bool(p.grad.any()) for p in router.parameters()]
    assert any(got), "no gradient reaches the router"


@pytest.mark.parametrize("name", registry.names("readers"))
def test_reader_says_what_it_gives(name):
    kind = registry.load("readers", name)
    assert issubclass(kind.gives, Record) and kind.format and inspect.getdoc(kind)
    assert callable(kind().claims) and callable(kind().read)
    assert (TESTS / "data" / "readers" / f"test_{name}.py").is_file()


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


def score(result, system):
    """The mean of the measure that is selected on."""
    return result[system].scores[result.measures[0]].mean


def reordered(system, order):
    """Predictions for rows in another order; what answers texts needs none."""
    return [system[i] for i in order] if hasattr(system, "__getitem__") else system


@pytest.mark.parametrize("name", TASKS)
def test_task_is_documented_and_tried(name):
    task = find(name)
    assert task.name == name and len(task.title) > 20 and task.metrics and task.unit
    assert issubclass(task.record, Record) and inspect.getdoc(type(task))
    assert set(task.shared) <= {
        "module",
        "compose",
        "baseline",
        "head",
        "controls",
        "metric",
        "windows",
    }
    assert all(about.help for *_, about in options_of(task).values())
    assert find(name) is task
    if registry.is_shipped("tasks", name):
        assert (TESTS / "tasks" / f"test_{name}.py").is_file()


@pytest.mark.parametrize("name", TASKS)
def test_a_system_that_knows_has_the_best_score_and_chance_is_far_below(name):
    task, rows = find(name), RECORDS[find(name).record](60)
    systems = {"right": task.oracle(rows), **{f"{s}": task.chance(rows, s) for s in range(6)}}
    result = task.evaluate(rows, systems, base="0", resamples=200)
    assert result.task == name and result.measures[0] in task.metrics and result.count > 0
    assert score(result, "right") == pytest.approx(1, abs=1e-6)
    assert all(score(result, row.system) <= 1 for row in result.rows)
    assert all(score(result, f"{seed}") < 0.7 for seed in range(6))
    gain = result["right"].gains[result.measures[0]]
    assert gain.low > 0 and gain.mean == pytest.approx(1 - score(result, "0"))


@pytest.mark.parametrize("name", TASKS)
def test_systems_at_chance_do_not_differ(name):
    """Their paired difference has an interval about 0, but for the one in twenty."""
    task, rows = find(name), RECORDS[find(name).record](60)
    systems = {f"{seed}": task.chance(rows, seed) for seed in range(40)}
    base = {f"{seed}": f"{seed - 1}" for seed in range(1, 40, 2)}
    result = task.evaluate(rows, systems, base=base, resamples=200)
    gains = [result[name].gains[result.measures[0]] for name in base]
    assert sum(gain.low <= 0 <= gain.high for gain in gains) >= 15
    assert sum(abs(gain.mean) for gain in gains) > 0


@pytest.mark.parametrize("name", TASKS)
def test_the_order_of_rows_changes_no_score(name):
    task, rows = find(name), RECORDS[find(name).record](40)
    order = random.Random(1).sample(range(40), 40)
    systems = {"right": task.oracle(rows), "chance": task.chance(rows, 1)}
    plain_result = task.evaluate(rows, systems, resamples=5)
    mixed = task.evaluate(
        [rows[i] for i in order],
        {key: reordered(system, order) for key, system in systems.items()},
        resamples=5,
    )
    for row in plain_result.rows:
        for measure, own in row.scores.items():
            assert mixed[row.system].scores[measure].mean == pytest.approx(own.mean), measure


@pytest.mark.parametrize("name", TASKS)
def test_the_result_is_json_and_a_table_of_80_columns(name):
    task, rows = find(name), RECORDS[find(name).record](30)
    systems = {"baseline": task.chance(rows, 1), "module": task.chance(rows, 2)}
    result = task.evaluate(rows, systems, base="baseline", resamples=20)
    made = result.to_dict()
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    assert {"task", "unit", "count", "measures", "options", "rows"} <= made.keys()
    for row in made["rows"]:
        assert row["scores"].keys() == set(result.measures)
        assert {"mean", "low", "high"} == row["scores"][result.measures[0]].keys()
        assert bool(row["gains"]) == (row["system"] != "baseline")
    stream = io.StringIO()
    Console(file=stream, width=80, highlight=False).print(task.table(result))
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= 80 and "…" not in stream.getvalue()
    assert len(lines) >= 3 + len(result.rows)
    value = result["module"].scores[result.measures[0]]
    assert f"{value.mean:.3f} [{value.low:.3f}, {value.high:.3f}]" in stream.getvalue()


def head_for(name, encoder, rows):
    """An untrained head, by an objective that trains heads of the task's kind."""
    for objective in OBJECTIVES:
        kind = part(objective)
        if kind.consumes is find(name).record:
            services = {"companions": companions(encoder)}
            head = heads_of(kind(), encoder.width, memory_of(kind(), rows), services)
            if head is not None and head.task == find(name).head:
                return head
    raise AssertionError(f"no objective trains a head for {name}")


@pytest.mark.parametrize("name", TASKS)
def test_what_a_run_claims_has_intervals_and_controls(name, encoder):
    task, rows = find(name), RECORDS[find(name).record](30)
    head = head_for(name, encoder, rows) if isinstance(task, HeadTask) else None
    own = {POINTING: 1, RELATION: 4}.get(head.task if head is not None else "", 0)
    kind = ("lora", {"rank": 2})
    if own:  # with tokens of the module's own
        kind = ("own_tokens", {"count": own, "module": {"kind": "lora", "rank": 2}})
    module = module_for(encoder, kind[0], **kind[1])
    found = task.evidence(encoder, shaken(module), rows, head)
    assert found and hooks_do_nothing(encoder)
    for one in found:
        assert one.task == name and one.task_type == task.task_type and one.rows > 0
        assert one.interval[0] <= one.value <= one.interval[1]
        assert one.controls and (one.sides is None) == (head is not None or task.by_vectors)


@pytest.mark.parametrize("name", [name for name in TASKS if isinstance(find(name), HeadTask)])
def test_a_head_has_a_card(name, encoder):
    task = find(name)
    head = head_for(name, encoder, RECORDS[task.record](30))
    card = task.card(head)
    assert card.evaluate == name and card.task_type == task.task_type and card.code
    assert "{}" not in card.does
