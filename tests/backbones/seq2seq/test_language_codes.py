"""The tokens of languages: those of four families, and a language that a model lacks."""

from __future__ import annotations

import pytest

from xadapt.backbones.seq2seq.language_codes import code_of, codes_of, spelled
from xadapt.core.errors import UserError


@pytest.mark.parametrize(
    ("tokens", "code", "found"),
    [
        (["__de__", "__en__"], ("deu", ""), "__de__"),
        (["de_DE", "en_XX"], ("deu", "Latn"), "de_DE"),
        ([">>fra<<", ">>por<<"], ("fra", ""), ">>fra<<"),
        (["srp_Cyrl", "srp_Latn"], ("srp", "Latn"), "srp_Latn"),
    ],
)
def test_the_codes_of_each_family_are_found(tokens, code, found):
    class Named:
        def get_added_vocab(self):
            return dict.fromkeys(["<mask>", "the", *tokens], 0)

    assert codes_of(Named())[code] == found


def test_a_language_is_found_by_script_and_named_where_it_is_absent():
    codes = {("zho", "Hans"): "zho_Hans", ("zho", ""): "zho_Hans", ("zho", "Hant"): "zho_Hant"}
    assert code_of(codes, "zh-Hant", "m") == "zho_Hant" and code_of(codes, "zh", "m") == "zho_Hans"
    assert code_of(codes, "zh-Latn", "m") == "zho_Hans"
    with pytest.raises(UserError, match="m: the model has no code for the language fi; it has 3"):
        code_of(codes, "fi", "m")
    assert (spelled("__de__"), spelled("deu_Latn")) == ("de", "deu_Latn")
