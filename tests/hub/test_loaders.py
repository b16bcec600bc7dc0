import pytest

from xadapt.core.errors import UserError
from xadapt.hub.loaders import chosen, loaders_of


def test_the_default_is_every_library():
    assert chosen(None) == {"adapters", "peft", "transformers", "sentence-transformers"}


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("none", set()),
        ("adapters", {"adapters"}),
        (["sentence-transformers"], {"peft", "sentence-transformers"}),
        ("peft, adapters", {"peft", "adapters"}),
        (["peft", "transformers"], {"peft", "transformers"}),
        ("all", {"adapters", "peft", "transformers", "sentence-transformers"}),
    ],
)
def test_what_is_asked_for_comes_with_what_it_stands_on(asked, given):
    assert chosen(asked) == given


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("adapter", "Did you mean adapters?"),
        ("sentence_transformers", "Did you mean sentence-transformers?"),
        ("", "no folder is written for ''"),
        ("keras", "Choose from adapters, peft"),
        ("all,peft", "stand alone"),
    ],
)
def test_other_names_are_refused(asked, said):
    with pytest.raises(UserError) as raised:
        loaders_of(asked)
    assert said in str(raised.value) and str(raised.value).startswith("--loaders")
