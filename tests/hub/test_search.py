import json

import pytest
from tiny_folders import manifest_of, random_module
from tiny_models import tiny_encoder

from xadapt.core.errors import UserError
from xadapt.hub.card import card
from xadapt.hub.folder import write_folder
from xadapt.hub.search import search

SCORE = {"task": "bitext", "data": "t", "metric": "accuracy xx-en", "sides": "both"}
# name: languages, score with the module, score of the base, base, objectives
MODULES = {
    "org/sw-good": (["sw"], 0.7, 0.2, "a/one", ["translation_ranking"]),
    "org/sw-weak": (["sw"], 0.9, 0.85, "a/one", ["translation_ranking"]),
    "org/sw-unmeasured": (["sw"], None, None, "a/one", ["mlm"]),
    "org/zulu": (["zu"], 0.8, 0.1, "a/one", ["translation_ranking"]),
    "org/german": (["de", "nl"], 0.9, 0.1, "a/one", ["translation_ranking"]),
    "org/sw-other": (["sw"], 0.99, 0.1, "a/two", ["translation_ranking"]),
    "org/serbian": (["sr-Latn"], 0.5, 0.1, "a/two", ["distillation"]),
}


def manifest(name):
    languages, value, base_value, base, objectives = MODULES[name]
    encoder = tiny_encoder("bert")
    module = random_module(encoder, "lora")
    return manifest_of(
        encoder,
        module,
        name=name.partition("/")[2],
        languages=languages,
        objectives=objectives,
        base={"id": base, "model_type": "bert", "fingerprint": {"id": "sha256:1"}},
        evidence=[] if value is None else [{**SCORE, "value": value, "base": base_value}],
    )


@pytest.fixture
def full(local_hub):
    for name in MODULES:
        local_hub.put(name, {"README.md": card(manifest(name)).encode()})
    local_hub.put("org/nothing", {"README.md": b"---\ntags: [other]\n---\n"})
    return local_hub


def ids(found):
    return [one.id.partition("/")[2] for one in found]


def test_exact_language_then_relatives_then_evidence(full):
    found = search(lang="swh", base="a/one")
    assert ids(found) == ["sw-good", "sw-weak", "sw-unmeasured", "zulu"]
    assert [one.match for one in found] == ["exact"] * 3 + ["related"]
    assert found[0].gain == pytest.approx(0.5) and found[0].metric.startswith("bitext: accuracy")


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"lang": "sw"}, {"sw-other", "sw-good", "sw-weak", "sw-unmeasured", "zulu"}),
        ({"objective": "mlm"}, {"sw-unmeasured"}),
        ({"base": "a/two"}, {"sw-other", "serbian"}),
        ({"lang": "nl"}, {"german"}),
        ({"lang": "sr"}, set()),  # written in Cyrillic
        ({"lang": "sr-Latn"}, {"serbian"}),
        ({"task": "tagging"}, set()),
        ({"lang": "ja"}, set()),
        ({}, {name.partition("/")[2] for name in MODULES}),
    ],
)
def test_what_is_asked_for_is_found(full, asked, wanted):
    assert set(ids(search(**asked))) == wanted


def test_all_pages_are_read(full):
    full.page = 2
    assert len(search()) == len(MODULES)
    assert len([path for _, path in full.requests if path.startswith("/api/models")]) == 4


def test_private_modules_need_the_token(full, monkeypatch):
    full.repositories["org/zulu"].private = True
    assert "zulu" in ids(search(lang="zu"))
    assert "zulu" not in ids(search(lang="zu", token="hf_wrong"))


@pytest.mark.parametrize(
    "facts",
    [
        None,
        [],
        {},
        {"languages": "sw", "kind": "lora"},
        {"languages": ["not a tag!"], "kind": "lora"},
        {"languages": ["sw"], "kind": "x\u001b[31m"},
        {"languages": ["sw"], "kind": 3},
        {"languages": ["sw"], "kind": "lora", "score": "high"},
        {"languages": ["sw"] * 501, "kind": "lora"},
        {"languages": ["sw"], "kind": "lora", "objectives": 3},
    ],
)
def test_cards_of_strangers_are_passed_over(full, facts):
    header = json.dumps({"tags": ["xadapt"], "xadapt": facts})
    full.put("org/odd", {"README.md": f"---\n{header}\n---\n".encode()})
    found = search(lang="sw")
    assert "odd" not in ids(found) and len(found) == 5
    assert found.skipped == ("org/odd: its card has no facts of xadapt",)


def test_a_folder_is_searched_in_the_same_order(tmp_path):
    encoder = tiny_encoder("bert")
    module = random_module(encoder, "lora")
    for name in MODULES:
        place = tmp_path / name.partition("/")[2]
        write_folder(place, module, encoder, manifest(name), verify={}, loaders="none")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "xadapt.json").write_text("{")
    found = search(lang="sw", base="a/one", folder=tmp_path)
    names = [one.id.rpartition("/")[2] for one in found]
    assert names == ["sw-good", "sw-weak", "sw-unmeasured", "zulu"]
    assert len(found.skipped) == 1 and "broken" in found.skipped[0]
    with pytest.raises(UserError, match="no such folder"):
        search(folder=tmp_path / "none")


def test_the_result_shows_itself(full):
    found = search(lang="sw", base="a/one")
    lines = repr(found).splitlines()
    assert len(lines) == 5 and "sw-good" in lines[1] and "0.500" in lines[1]
    frame = found.to_pandas()
    assert list(frame["id"]) == [one.id for one in found]
    assert json.loads(json.dumps(found.to_dict()))["modules"][0]["languages"] == ["sw"]
    assert repr(search(task="none")) == "no module found"


def test_wrong_input_and_no_connection_are_one_line(full):
    with pytest.raises(UserError, match="language"):
        search(lang="not a language")
    full.refuse("/api/models", 503)
    with pytest.raises(UserError, match="503"):
        search(lang="sw")
    with pytest.raises(UserError, match="connection"):
        search(lang="sw", endpoint="http://127.0.0.1:1")
