import re

import pytest
import yaml
from huggingface_hub import ModelCard, metadata_load
from tiny_folders import manifest_of, random_module
from tiny_models import tiny_encoder

from xadapt.core.errors import UserError
from xadapt.hub.card import card, card_header, require_valid, summary
from xadapt.hub.manifest import LOADERS

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
    assert fields["library_name"] == "sentence-transformers"
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


def test_the_hubs_own_classes_read_the_card(tmp_path):
    manifest = made(evidence=[EVIDENCE, {**EVIDENCE, "sides": "language", "interval": None}])
    (tmp_path / "README.md").write_text(card(manifest), encoding="utf-8")
    data = ModelCard.load(tmp_path / "README.md").data
    first, second = data.eval_results
    assert (first.metric_value, first.metric_type) == (0.8125, "accuracy")
    assert first.dataset_type == "tatoeba-held-out"
    assert first.metric_name == "accuracy sw-en (both sides), 95 % interval 0.78 to 0.84"
    assert first.task_name == "bitext" and second.metric_name.endswith("(language side only)")
    assert data.model_name == "tiny-sw" and data.base_model == "someone/tiny-base"
    assert metadata_load(tmp_path / "README.md")["model-index"]
    assert card(manifest) == card(manifest)


def test_a_header_that_cannot_be_read_is_refused():
    for text in ("---\nlanguage: [sw\n---\n# x\n", "---\n- a\n---\n"):
        with pytest.raises(UserError, match="README"):
            require_valid(text, "README.md")


def test_searching_needs_no_more_than_the_header():
    evidence = [{**EVIDENCE, "sides": "language", "value": 0.5}, EVIDENCE]
    facts = card_header(made(evidence=evidence, languages=["sw", "zh-Hant"]))["xadapt"]
    assert facts == summary(made(evidence=evidence, languages=["sw", "zh-Hant"]))
    assert facts["languages"] == ["sw", "zh-Hant"] and facts["kind"] == "lora"
    assert (facts["score"], facts["base_score"]) == (0.8125, 0.084)
    assert facts["pairs"] == 12


@pytest.mark.parametrize(
    ("kind", "held", "library"),
    [
        ("lora", LOADERS, "sentence-transformers"),
        ("lora", ("adapters", "peft"), "xadapt"),
        ("bottleneck", ("adapters",), "adapter-transformers"),
        ("lora", (), "xadapt"),
    ],
)
def test_the_hubs_page_shows_lines_that_work(kind, held, library):
    loaders = {n: {"status": "unverified" if n in held else "left out"} for n in LOADERS}
    assert card_header(made(kind, loaders=loaders))["library_name"] == library


def test_each_file_is_explained_and_what_was_left_out_is_said():
    names = [
        "README.md",
        "adapter_model.safetensors",
        "module.safetensors",
        "1_Pooling/config.json",
    ]
    loaders = ALL | {"adapters": {"status": "left out"}}
    text = card(made(loaders=loaders), names)
    _, body = header(text)
    for name in names:
        assert len([line for line in body.splitlines() if line.startswith(f"| `{name}` |")]) == 1
    assert "left out: adapters. `--loaders`" in text
    assert "on 12 pairs of sentences" in body and "in English, turn the module off" in body


@pytest.mark.parametrize(
    "text", ["# a\n## b", "a|b", "`x`", "[a](javascript:1)", "<b>*x*</b>", "\\"]
)
def test_no_text_of_a_user_is_markdown(text):
    data = [{"name": f"f{text}", "rows": 1, "licence": text}]
    evidence = [{**EVIDENCE, "task": text, "metric": text, "controls": {text: 0.5}}]
    _, body = header(card(made(data=data, evidence=evidence)))
    _, plain = header(
        card(made(data=[{"name": "f", "rows": 1, "licence": "f"}], evidence=[EVIDENCE]))
    )
    for mark in (r"\n#", r"```", r"(?<!\\)\]\(", r"<b", r"(?<!\\)\*x"):
        assert len(re.findall(mark, body)) == len(re.findall(mark, plain))
    rows = [line.replace("\\\\", "").replace("\\|", "") for line in body.splitlines()]
    assert {row.count("|") for row in rows if row.startswith("|")} <= {3, 4, 6}


def test_a_markdown_reader_sees_tables_and_code(tmp_path):
    from markdown_it import MarkdownIt

    _, body = header(card(made(evidence=[EVIDENCE]), ["README.md"]))
    tokens = MarkdownIt("commonmark").enable("table").parse(body)
    assert len([t for t in tokens if t.type == "table_open"]) == 3
    assert len([t for t in tokens if t.type == "fence"]) == 10
    assert not [t for t in tokens if t.type.startswith("html")]
