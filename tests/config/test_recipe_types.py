"""A recipe whose parts don't fit one another is refused when it is read, in one line."""

from __future__ import annotations

import pytest

from xadapt.config.recipe import DataSpec, Recipe
from xadapt.config.recipe_file import check_recipe
from xadapt.core.errors import UserError

LEAST = {
    "name": "x",
    "source": {"paper": "p", "url": "https://example.org"},
    "module": {"kind": "lora"},
    "objectives": [{"name": "distillation"}],
}


def fault(train, **more):
    with pytest.raises(UserError) as found:
        check_recipe({**LEAST, "data": {"train": train}, **more})
    said = str(found.value)
    assert "\n" not in said
    return said


def test_reader_and_objective_must_fit():
    said = fault({"reader": "conll"})
    assert "reader conll gives TaggedSentence, and objective distillation consumes Parallel" in said


def test_reader_transform_and_objective_must_fit():
    said = fault({"reader": "conll", "transforms": ["open_ie"]})
    assert "reader conll gives TaggedSentence, and transform open_ie consumes ParsedSent" in said
    assert "transform open_ie gives OpenTriples, and objective distillation consumes" in said
    said = fault({"transforms": ["pair_filter", "open_ie"]})
    assert "transform pair_filter gives ParallelPair, and transform open_ie consumes Par" in said


def test_the_type_follows_from_the_options():
    facts = {"reader": "cldr_facts", "transforms": [{"name": "verbalise", "to": "tagged"}]}
    assert "verbalise gives TaggedSentence, and objective distillation" in fault(facts)
    facts["transforms"] = ["verbalise", "pair_filter", "shuffle"]
    check_recipe({**LEAST, "data": {"train": facts}})
    tagging = {**LEAST, "objectives": [{"name": "tagging"}]}
    facts["transforms"] = [{"name": "verbalise", "to": "tagged"}]
    check_recipe({**tagging, "data": {"train": facts}})


def test_each_entry_of_data_is_checked_with_its_own_objectives():
    data = {"train": {}, "more": {"reader": "plain_text"}}
    objectives = [{"name": "distillation"}, {"name": "mlm", "data": "more"}]
    check_recipe({**LEAST, "data": data, "objectives": objectives})
    swapped = [{"name": "distillation", "data": "more"}, {"name": "mlm"}]
    with pytest.raises(UserError) as found:
        check_recipe({**LEAST, "data": data, "objectives": swapped})
    said = str(found.value)
    assert "plain_text gives PlainText, and objective distillation consumes ParallelPair" in said
    assert "transform pair_filter gives ParallelPair, and objective mlm consumes PlainText" in said


def test_what_changes_the_type_comes_before_what_changes_training_records_alone(monkeypatch):
    from xadapt.data.transforms.pair_filter import PairFilter

    monkeypatch.setattr(PairFilter, "applies", "train")
    facts = {"reader": "cldr_facts", "transforms": ["verbalise", "pair_filter"]}
    check_recipe({**LEAST, "data": {"train": facts}})
    monkeypatch.setattr(PairFilter, "gives", type("NewPair", (PairFilter.gives,), {}))
    assert "pair_filter, which makes NewPair of ParallelPair, must come before it" in fault(facts)


def test_unknown_transforms_and_options_are_told_with_the_nearest_name():
    said = fault({"transforms": ["pair_filtre"]})
    assert "unknown transform 'pair_filtre'; did you mean 'pair_filter'?" in said
    said = fault({"transforms": [{"name": "pair_filter", "max_ration": 3}]})
    assert "unknown key 'max_ration'; did you mean 'max_ratio'?" in said
    assert "max_ratio: input should be" in fault(
        {"transforms": [{"name": "pair_filter", "max_ratio": -1}]}
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"filter": True}, {}),
        ({"filter": False}, {"transforms": []}),
        ({"maker": None}, {}),
        (
            {"reader": "conllu_trees", "maker": "open_ie_predicates"},
            {"reader": "conllu_trees", "transforms": [{"name": "open_ie", "find": "predicates"}]},
        ),
        ({"filter": True, "transforms": ["shuffle"]}, {"transforms": ["shuffle"]}),
    ],
)
def test_old_forms_are_read_as_the_transforms_they_mean(old, new):
    assert DataSpec.model_validate(old) == DataSpec.model_validate(new)
    stored = Recipe.model_validate({**LEAST, "data": {"train": old}}).model_dump(mode="json")
    assert not {"filter", "maker"} & set(stored["data"]["train"])
    assert Recipe.model_validate(stored).data["train"] == DataSpec.model_validate(new)


def test_old_and_new_forms_together_and_wrong_old_ones_are_refused():
    assert "filter is the old form of transforms" in fault({"filter": False, "transforms": []})
    both = {"maker": "open_ie_arguments", "transforms": ["shuffle"]}
    assert "maker is the old form of transforms" in fault(both)
    assert "filter is true or false" in fault({"filter": "maybe"})
    assert "did you mean 'open_ie_arguments'" in fault({"maker": "open_ie_argument"})
