from __future__ import annotations

import unicodedata

import pytest

from xadapt.data.readers.cldr_labels import NOT_ENTITIES, SECTIONS, clean, own_labels


def test_known_names():
    labels = own_labels()
    assert labels["de"]["territory:DE"] == "Deutschland"
    assert labels["sw"]["territory:FR"] == "Ufaransa"
    assert labels["ru"]["script:Cyrl"] == "кириллица"
    assert labels["ja"]["language:ja"] == "日本語"
    assert labels["fr"]["currency:EUR"] == "euro"
    assert labels["en"]["territory:150"] == "Europe"
    assert labels["en"]["language:pt-BR"] == "Brazilian Portuguese"


def test_a_child_has_only_its_own_names():
    labels = own_labels()
    assert "nb" not in labels, "all of Bokmål's names are those of no"
    assert 0 < len(labels["nn"]) < len(labels["no"]) / 2
    # hi-Latn inherits from English, not from Hindi
    assert len(labels["hi-Latn"]) < 100
    # a script that is not the usual one inherits nothing, even where names agree
    assert len(labels["zh-Hant"]) > 1300
    assert sum(labels["zh-Hant"].get(e) == n for e, n in labels["zh"].items()) > 10
    assert not any("-" in tag and len(tag.split("-")[1]) == 2 for tag in labels), "no regions"


def test_every_name_is_clean_and_no_code():
    for tag, names in own_labels().items():
        for entity, name in names.items():
            kind, code = entity.split(":")
            assert kind in SECTIONS.values()
            assert name not in (code, code.replace("-", "_")), (tag, entity)
            assert name == unicodedata.normalize("NFC", name) == name.strip()
            assert not set(name) & set("\u200b\u200e\u200f\n\t"), (tag, entity)


def test_nothings_and_superseded_codes_are_gone():
    entities = {entity for names in own_labels().values() for entity in names}
    gone = {f"{SECTIONS[s]}:{code}" for s, codes in NOT_ENTITIES.items() for code in codes}
    gone |= {"language:sh", "language:tl", "language:iw", "territory:AN", "territory:SU"}
    assert not entities & gone


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("  a\u00a0 b ", "a b"),
        ("\u200fוולאפיק", "וולאפיק"),
        ("e\u0301", "é"),
        ("సిఎఫ్\u200cపి", "సిఎఫ్\u200cపి"),
        ("Chinese (hint: Mandarin)", ""),
        ("S:t Lucia", "S:t Lucia"),
        ("Congo (Kinshasa)", "Congo (Kinshasa)"),
    ],
)
def test_clean(raw, cleaned):
    assert clean(raw) == cleaned
