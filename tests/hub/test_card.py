import pytest
import yaml
from tiny_folders import manifest_of, random_module
from tiny_models import tiny_encoder

from xadapt.hub.card import card, card_header

ALL = {
    n: {"status": "unverified"}
    for n in ("adapters", "peft", "transformers", "sentence-transformers")
}
EVIDENCE = {
    "task": "bitext",
    "data": "tatoeba | held\nout",
    "metric": "accuracy sw-en",
    "value": 0.8125,
    "base": 0.084,
    "controls": {"tf-idf": 0.2},
    "sides": "both",
    "interval": (0.78, 0.84),
    "rows": 500,
}


def made(kind="lora", **changes):
    encoder = tiny_encoder("bert")
    options = changes.pop("options", {})
    module = random_module(encoder, kind, **options)
    return manifest_of(encoder, module, **{"loaders": ALL, **changes})


def header(text):
    _, head, body = text.split("---\n", 2)
    return yaml.safe_load(head), body


def test_the_header_survives_yaml_and_has_what_the_hub_reads():
    manifest = made(evidence=[EVIDENCE], data=[{"name": "org/set", "rows": 3}])
    fields, _ = header(card(manifest))
    assert fields == card_header(manifest)
    assert fields["base_model"] == "someone/tiny-base"
    assert fields["base_model_relation"] == "adapter"
    assert fields["library_name"] == "peft"
    assert fields["language"] == ["sw", "en"]
    assert fields["license"] == "apache-2.0"
    assert fields["datasets"] == ["org/set"]
    assert {"xadapt", "bert", "adapter-transformers"} <= set(fields["tags"])
    metric = fields["model-index"][0]["results"][0]["metrics"][0]
    assert metric["value"] == 0.8125


def test_script_subtags_move_to_their_own_field():
    fields = card_header(made(languages=["zh-Hant", "sr-Latn", "sw"]))
    assert fields["language"] == ["zh", "sr", "sw", "en"]
    assert fields["language_bcp47"] == ["zh-Hant", "sr-Latn"]


def test_evidence_cells_cannot_break_the_table():
    _, body = header(card(made(evidence=[EVIDENCE, {**EVIDENCE, "controls": {}, "sides": None}])))
    rows = [line for line in body.splitlines() if "tatoeba" in line]
    assert len(rows) == 2
    for row in rows:
        assert row.replace("\\|", "").count("|") == 6
    assert "**0.8125** [0.78, 0.84]" in rows[0]
    assert "0.084" in rows[0]


@pytest.mark.parametrize("form", ["sequential", "parallel"])
def test_a_parallel_module_warns_of_stacks(form):
    options = {"after": "ffn", "form": form}
    text = card(made("bottleneck", options=options))
    assert ("Do not put it into a `Stack`" in text) == (form == "parallel")


def test_what_cannot_hold_it_is_named_with_its_reason_and_has_no_snippet():
    loaders = ALL | {"adapters": {"status": "cannot hold", "reason": "no | LoRA here"}}
    text = card(made(loaders=loaders))
    assert "no \\| LoRA here" in text
    assert "AutoAdapterModel.from_pretrained" not in text
    assert "adapter-transformers" not in card_header(made(loaders=loaders))["tags"]


def test_a_base_without_an_id_is_not_linked():
    base = {"id": None, "model_type": "bert", "fingerprint": {"id": "sha256:1"}}
    fields, body = header(card(made(base=base)))
    assert "base_model" not in fields
    assert 'base = "BASE"' in body
    assert "huggingface.co" not in body


def test_no_control_character_or_html_gets_through():
    data = [{"name": "<script>alert(1)</script>", "rows": 1, "licence": "a\n# head"}]
    _, body = header(card(made(data=data)))
    assert "<script" not in body
    assert "\n# head" not in body
