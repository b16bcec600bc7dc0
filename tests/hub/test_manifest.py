import json
import random
from pathlib import Path

import pytest
from pydantic import ValidationError
from tiny_folders import manifest_of, random_module
from tiny_models import tiny_encoder

from xadapt.core.errors import UserError
from xadapt.hub.manifest import (
    MAX_BYTES,
    HeadSpec,
    Manifest,
    build_manifest,
    parse_manifest,
    save_manifest,
    software_versions,
    without_local_paths,
)


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    encoder = tiny_encoder("bert")
    return manifest_of(encoder, random_module(encoder, "lora", rank=2, alpha=4))


def test_written_and_read_back_is_the_same(manifest, tmp_path):
    save_manifest(tmp_path, manifest)
    assert parse_manifest((tmp_path / "xadapt.json").read_bytes()) == manifest


def test_languages_are_brought_to_their_shortest_tag(manifest):
    fields = manifest.model_dump() | {"languages": ["swa", "zh_hant"], "pivot": "eng"}
    built = build_manifest(**fields)
    assert built.languages == ["sw", "zh-Hant"]
    assert built.pivot == "en"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("/home/me/secret/pairs.tsv", "pairs.tsv"),
        ("~/pairs.tsv", "pairs.tsv"),
        (r"C:\Users\me\pairs.tsv", "pairs.tsv"),
        ("C:/Users/me/pairs.tsv", "pairs.tsv"),
        ("file:///home/me/pairs.tsv", "pairs.tsv"),
        ("../../me/pairs.tsv", "pairs.tsv"),
        (Path("/home/me/pairs.tsv"), "pairs.tsv"),
        ("kg:/home/me/dbp5l", "kg:dbp5l"),
        ("wikidata:~/facts", "wikidata:facts"),
        ("kg:../me/dbp5l", "kg:dbp5l"),
        ("kg:dbp5l/ja", "kg:dbp5l/ja"),
        ("https://x.org/a", "https://x.org/a"),
        ("org/name", "org/name"),
        ("and/or", "and/or"),
        (3, 3),
        ({"a": ["/x/y", ("/x/z",)]}, {"a": ["y", ["z"]]}),
        ("/", "path"),
    ],
)
def test_local_paths_are_cut_to_a_name(given, kept):
    assert without_local_paths(given) == kept


def test_no_local_path_is_ever_stored(manifest):
    fields = manifest.model_dump()
    fields["recipe"] = {"data": {"path": "/home/me/pairs.tsv"}, "base": "/home/me/base"}
    fields["data"] = [{"name": "/home/me/pairs.tsv", "rows": 3}]
    fields["parents"] = ["/home/me/other"]
    assert "/home" not in build_manifest(**fields).model_dump_json()


def test_a_prompt_that_looks_like_a_path_is_kept(manifest):
    fields = manifest.model_dump()
    fields["pooling"]["prompts"] = {"q": "/query/ "}
    assert build_manifest(**fields).pooling["prompts"] == {"q": "/query/ "}


@pytest.mark.parametrize("base", ["/home/me/base", "../base", "a/b/c", "~/x", "a/../b", "", "a\nb"])
def test_a_path_is_no_base_id(manifest, base):
    fields = manifest.model_dump()
    fields["base"]["id"] = base
    with pytest.raises(UserError, match="Hub"):
        build_manifest(**fields)


@pytest.mark.parametrize(
    "name", ["a.b", "", "a b", "keys", "training", "../x", "x" * 97, "-a", "é"]
)
def test_names_that_other_libraries_choke_on_are_refused(manifest, name):
    with pytest.raises(UserError, match="name"):
        build_manifest(**manifest.model_dump() | {"name": name})


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 2},
        {"max_length": 0},
        {"max_length": "12"},
        {"dtype": "int4"},
        {"languages": ["nolanguage"]},
        {"created": "yesterday"},
        {"unknown": 1},
        {"evidence": [{"task": "t", "data": "d", "metric": "m", "value": float("nan")}]},
        {"recipe": {"lr": float("inf")}},
        {"loaders": {"keras": {"status": "verified"}}},
        {"loaders": {"peft": {"status": "perhaps"}}},
        {"data": [{"name": "x", "rows": -1}]},
        {"data": [{"name": "x", "rows": 1, "sha256": "zz"}]},
        {"licence": "two words\n"},
    ],
)
def test_what_is_wrong_is_refused(manifest, change):
    with pytest.raises(UserError):
        build_manifest(**manifest.model_dump() | change)


def test_all_faults_are_told_at_once(manifest):
    with pytest.raises(UserError) as caught:
        build_manifest(**manifest.model_dump() | {"max_length": 0, "dtype": "int4", "unknown": 1})
    assert all(word in str(caught.value) for word in ("max_length", "dtype", "unknown"))
    assert "\n" not in str(caught.value)


def test_fuzzed_json_is_refused_with_one_line_or_read(manifest):
    rng = random.Random(0)
    good = manifest.model_dump(mode="json")
    junk = [None, 0, -1, 1.5, "", "x", [], {}, True, [[]], {"a": None}, "\u0000", "9" * 400]
    for _ in range(300):
        broken = json.loads(json.dumps(good))
        place = broken
        while True:
            key = rng.choice(list(place))
            if isinstance(place[key], dict) and place[key] and rng.random() < 0.5:
                place = place[key]
                continue
            place[key] = rng.choice(junk)
            break
        try:
            parse_manifest(json.dumps(broken).encode(), where="f")
        except UserError as error:
            assert str(error).startswith("f: ")
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 5_000,
        b" " * (MAX_BYTES + 1),
    ],
)
def test_what_is_no_manifest_is_refused(raw):
    with pytest.raises(UserError):
        parse_manifest(raw)


def test_software_versions_name_torch():
    import torch

    assert torch.__version__.startswith(software_versions()["torch"].split("+")[0])
    assert all(software_versions().values())


@pytest.mark.parametrize(
    "said",
    [
        {"task": "tagging", "labels": ["O"]},
        {"task": "tagging", "labels": ["O"], "scheme": "bio", "scale": [0.0, 1.0]},
        {"task": "classification", "labels": ["a"], "scheme": "bio"},
        {"task": "multi_label", "labels": ["a", "b"]},
        {"task": "multi_label", "labels": ["a", "b"], "thresholds": [0.5]},
        {"task": "multi_label", "labels": ["a"], "thresholds": [1.5]},
        {"task": "classification", "labels": ["a"], "thresholds": [0.5]},
        {"task": "classification", "labels": ["a"], "problem_type": "regression"},
        {"task": "pair_scoring", "labels": ["score"]},
        {"task": "pair_scoring", "labels": ["a", "b"], "scale": [0.0, 1.0]},
        {"task": "pair_scoring", "labels": ["score"], "scale": [1.0, 1.0]},
        {"task": "text_rating", "labels": ["rating"]},
        {"task": "text_rating", "labels": ["1", "good"], "scale": [1.0, 4.0]},
        {"task": "text_rating", "labels": ["1", "nan"], "scale": [1.0, 4.0]},
        {"task": "span_extraction", "labels": ["end", "start"]},
        {"task": "classification", "labels": ["a"], "sizes": {"prototypes": 2}},
        {"task": "classification", "labels": ["a"], "sizes": {"states": 2}},
        {"task": "relation", "labels": ["a"]},
        {"task": "relation", "labels": ["a"], "sizes": {"states": 3}},
        {"task": "relation", "labels": ["a"], "sizes": {"states": 2, "types": 2}},
        {"task": "relation", "labels": ["a"], "sizes": {"types": 1}},
        {"task": "tagging", "labels": ["O"], "scheme": "bio", "sizes": {"prototypes": 3}},
        {"task": "tagging", "labels": ["O"], "scheme": "bio", "sizes": {"hidden": 3}},
        {"task": "poetry", "labels": ["a"], "scheme": "bio"},
        {"task": "A poem`", "labels": ["a"]},
    ],
)
def test_heads_that_do_not_fit_their_task_are_refused(said: dict) -> None:
    with pytest.raises(ValidationError):
        HeadSpec.model_validate_json(json.dumps(said))
