"""The checklist of a card's fields: what a written folder fills, and what each fault is told as."""

from __future__ import annotations

import re

import pytest
import yaml
from tiny_folders import BASE_ID, base_and_encoder, manifest_of, random_module

from xadapt.core.errors import UserError
from xadapt.hub.card_fields import CHECKS, check_fields, require_fields
from xadapt.hub.card_ids import LICENCES, data_id, licence_fields, metric_id
from xadapt.hub.evidence import claims
from xadapt.hub.folder import write_folder
from xadapt.integrations import usable

FIELDS = (
    "language", "license", "library_name", "pipeline_tag", "tags", "datasets", "metrics",
    "base_model", "base_model_relation", "model-index",
)  # fmt: skip
EVIDENCE = [
    {
        "task": "bitext",
        "task_type": "sentence-similarity",
        "data": "tatoeba-en-sw.tsv",
        "metric": f"accuracy {way} pivot",
        "value": 0.5,
        "base": 0.25,
        "controls": {"TF-IDF": 0.2, "wrong language (ja)": 0.3},
        "sides": sides,
        "interval": (0.45, 0.55),
        "rows": 500,
    }
    for way in ("to", "from")
    for sides in ("language", "both")
]
DATA = [
    {"name": "en-sw.tsv", "rows": 3000, "licence": "CC-BY 2.0 FR", "ids": ["org/sentences"]},
    {"name": "org/more", "rows": 12},
]


@pytest.fixture(scope="module", params=["lora", "bottleneck"])
def written(request, tmp_path_factory):
    """The card of a written folder, of a kind that has its lines on the Hub's page."""
    folder = tmp_path_factory.mktemp(request.param)
    _, encoder = base_and_encoder(folder, "bert")
    module = random_module(encoder, request.param)
    base = {"id": BASE_ID, "model_type": "bert", "fingerprint": encoder.identity.to_dict()}
    made = manifest_of(encoder, module, base=base, evidence=EVIDENCE, data=DATA)
    write_folder(folder / "out", module, encoder, made, verify={}, loaders="all")
    return (folder / "out" / "README.md").read_text(encoding="utf-8")


def test_a_published_card_fills_every_field_of_the_checklist(written):
    found = check_fields(written)
    assert tuple(field.name for field in found) == FIELDS
    assert all(field.good for field in found), [field for field in found if not field.good]
    require_fields(written, FIELDS)


def test_the_values_are_those_of_the_manifest(written):
    fields = yaml.safe_load(written.split("---\n")[1])
    assert fields["language"] == ["sw", "en"] and fields["license"] == "apache-2.0"
    assert fields["datasets"] == ["org/more", "org/sentences"] or fields["datasets"] == [
        "org/sentences", "org/more"
    ]  # fmt: skip
    assert fields["metrics"] == ["accuracy"] and fields["pipeline_tag"] == "sentence-similarity"
    assert fields["base_model"] == BASE_ID and fields["base_model_relation"] == "adapter"
    rows = fields["model-index"][0]["results"]
    assert sum(len(row["metrics"]) for row in rows) == 4
    names = [metric["name"] for row in rows for metric in row["metrics"]]
    assert all("95 % interval 0.45 to 0.55" in name for name in names)
    assert len(set(names)) == 4


HUB_LINES = {
    # what the Hub's page prints for a library, from the header alone
    "sentence-transformers": (
        "from sentence_transformers import SentenceTransformer\n"
        'model = SentenceTransformer("{repo}")\n'
        "vectors = model.encode({texts}, convert_to_tensor=True)\n"
        "similarities = model.similarity(vectors, vectors)\n"
    ),
    "adapter-transformers": (
        "from adapters import AutoAdapterModel\n"
        'model = AutoAdapterModel.from_pretrained("{base}")\n'
        'model.load_adapter("{repo}", set_active=True)\n'
    ),
}


@pytest.mark.parametrize("kind", ["lora", "bottleneck"])
def test_the_lines_of_the_hubs_page_compute_what_xadapt_does(local_hub, tmp_path, kind):
    import torch
    from tiny_folders import TEXTS, own_states

    _, encoder = base_and_encoder(tmp_path, "bert")
    local_hub.put_folder(BASE_ID, tmp_path / "base")
    module = random_module(encoder, kind)
    base = {"id": BASE_ID, "model_type": "bert", "fingerprint": encoder.identity.to_dict()}
    made = manifest_of(encoder, module, base={**base, "revision": None})
    write_folder(tmp_path / "out", module, encoder, made, verify={}, loaders="all")
    local_hub.put_folder("org/tiny-sw", tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    library = yaml.safe_load(text.split("---\n")[1])["library_name"]
    named = {"adapter-transformers": "adapters"}.get(library, library)
    if usable()[named]:
        pytest.skip(usable()[named])
    names: dict = {}
    lines = HUB_LINES[library].format(repo="org/tiny-sw", base=BASE_ID, texts=list(TEXTS))
    exec(lines, names)
    ids, mask, states = own_states(encoder, [module])
    if library == "sentence-transformers":
        found, wanted = names["vectors"], encoder.pool(states, mask)
    else:
        with torch.no_grad():
            out = names["model"].eval()(input_ids=ids, attention_mask=mask)
        found, wanted = (part * mask.unsqueeze(-1) for part in (out.last_hidden_state, states))
    torch.testing.assert_close(found.float(), wanted, rtol=1e-5, atol=1e-5)


FAULTS = {
    "language": (["sw", "Swahili"], "no code of ISO 639"),
    "license": ("my own", "no licence that the Hub knows"),
    "library_name": ("tensorflow-hub", "none of"),
    "pipeline_tag": ("bitext", "none of"),
    "tags": (["lora"], "xadapt is not among them"),
    "datasets": (["../pairs.tsv"], "no id on the Hub"),
    "metrics": (["accuracy to pivot"], "no id"),
    "base_model": ("/home/me/base", "no id on the Hub"),
    "base_model_relation": ("finetuned", "none of"),
}


@pytest.mark.parametrize("name", FIELDS)
def test_an_empty_field_and_a_wrong_one_are_named(written, name):
    head = yaml.safe_load(written.split("---\n")[1])

    def card(**changes):
        left = {k: v for k, v in {**head, **changes}.items() if v is not None}
        return f"---\n{yaml.safe_dump(left)}---\n# x\n"

    assert set(FAULTS) == set(CHECKS)
    with pytest.raises(UserError, match=f"{name}: it is empty"):
        require_fields(card(**{name: None}), FIELDS)
    require_fields(card(**{name: None}), set(FIELDS) - {name})
    if name in FAULTS:
        value, said = FAULTS[name]
        with pytest.raises(UserError, match=re.escape(said)) as error:
            require_fields(card(**{name: value}), ())
        assert str(error.value).count(": ") < 5 and "\n" not in str(error.value)
        assert [f.name for f in check_fields(card(**{name: value})) if f.fault] == [name]


def test_a_licence_that_nobody_stated_is_a_fault():
    assert licence_fields(None) == {"license": "unknown"}
    assert licence_fields("Apache-2.0") == {"license": "apache-2.0"}
    assert licence_fields("LicenseRef-Mine") == {
        "license": "other", "license_name": "licenseref-mine"
    }  # fmt: skip
    assert len(LICENCES) > 60
    fields = {f.name: f for f in check_fields("---\nlicense: unknown\n---\n")}
    assert fields["license"].fault == "nobody stated it" and not fields["tags"].filled


def test_ids_of_metrics_and_data():
    named = {
        "accuracy to pivot": "accuracy", "micro F1": "f1", "nDCG@10": "ndcg_at_10",
        "hits@1 from pivot": "hits@1-from-pivot", "P@1": "p@1", "?!": "other",
    }  # fmt: skip
    assert {name: metric_id(name) for name in named} == named
    assert data_id("org/set") == "org/set" and data_id("my pairs.tsv") == "my-pairs.tsv"


def test_no_measurement_claims_nothing():
    assert claims([]) == []
