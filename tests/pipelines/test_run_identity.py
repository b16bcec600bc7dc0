from __future__ import annotations

from pathlib import Path

import pytest
from tiny_folders import base_and_encoder, manifest_of, random_module

from xadapt.core.errors import UserError
from xadapt.pipelines.run_identity import (
    FILE,
    identity_differences,
    manifest_differences,
    require_same,
    save_identity,
)

OLD = {"recipe": "1", "base": "2", "data": "3", "development pairs": "4"}


@pytest.mark.parametrize(
    ("wanted", "differs"),
    [
        (OLD, []),
        ({**OLD, "recipe": "9", "base": "9"}, []),  # compared by the manifest
        ({**OLD, "data": "9", "development pairs": "9"}, ["data", "development pairs"]),
        ({**OLD, "composition": "5"}, ["composition"]),
        ({k: v for k, v in OLD.items() if k != "data"}, ["data"]),
    ],
)
def test_parts_that_differ_are_named(tmp_path: Path, wanted: dict, differs: list[str]) -> None:
    assert identity_differences(tmp_path, wanted) == []  # an older folder
    save_identity(tmp_path, OLD)
    assert identity_differences(tmp_path, wanted) == differs


def test_a_malformed_identity_is_one_line(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("[]")
    with pytest.raises(UserError, match="no identity"):
        identity_differences(tmp_path, OLD)


def test_manifests_are_compared_by_what_makes_a_module(tmp_path: Path) -> None:
    _, encoder = base_and_encoder(tmp_path, "bert")
    module = random_module(encoder, "lora", rank=2)
    print_ = encoder.identity.to_dict()
    base = {"id": None, "model_type": "bert", "fingerprint": print_}
    old = manifest_of(encoder, module, base=base)
    other = {**base, "fingerprint": {**print_, "tokenizer": "sha256:1"}}
    row = {"name": "renamed.tsv", "sha256": "a" * 64, "rows": 12}
    for change, differs in (
        ({}, []),
        ({"data": [row], "created": "2026-01-01", "base": {**base, "id": "a/b"}}, []),
        ({"base": other}, ["base (tokenizer: another vocabulary, other special tokens or another "
                           "splitting)"]),
        ({"data": [{**row, "rows": 13}]}, ["data"]),
        ({"data": [{**row, "sha256": "b" * 64}]}, ["data"]),
        ({"data": [row, row]}, ["data"]),
        ({"pivot": "fr"}, ["pivot"]),
        ({"prompt": "query: "}, ["pooling"]),
        ({"max_length": encoder.max_length - 1}, ["pooling"]),
        ({"trained_inside": ["a + self"]}, ["composition"]),
    ):  # fmt: skip
        fields = {"base": base, **change}
        assert manifest_differences(old, manifest_of(encoder, module, **fields)) == differs


def test_all_that_differs_is_in_one_line(tmp_path: Path) -> None:
    require_same(tmp_path, [])
    with pytest.raises(UserError, match="of another base and another data\\. Name"):
        require_same(tmp_path, ["base", "data", "data"])
