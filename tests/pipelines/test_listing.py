from __future__ import annotations

import subprocess
import sys

import pytest

import xadapt
from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.core.resources import resource
from xadapt.pipelines.listing import LISTS
from xadapt.report.display import Listing


@pytest.mark.parametrize("kind", LISTS)
def test_every_list_has_all_names_each_with_one_line(kind: str) -> None:
    found = LISTS[kind]()
    files = [f.stem for f in resource("adapter_configs").glob("*.yaml")]
    assert list(found) == sorted(files if kind == "recipes" else registry.names(kind))
    assert isinstance(found, Listing) and getattr(xadapt, f"list_{kind}") is LISTS[kind]
    for name in found:
        line = found[name]["description"]
        assert line and "\n" not in line and "``" not in line and not line.endswith(".")
    assert list(found.to_dict()) == [kind] and len(found.to_pandas()) == len(found)


def test_a_list_is_a_sequence_of_names() -> None:
    modules = xadapt.list_modules()
    assert "lora" in modules and "lara" not in modules and 3 not in modules
    assert modules[0] == next(iter(modules)) and modules[:2] == list(modules)[:2]
    assert modules.index("lora") == list(modules).index("lora") and len(modules) == len([*modules])
    with pytest.raises(UserError, match="unknown module 'lara'; did you mean 'lora'"):
        modules["lara"]


def test_a_recipe_says_what_it_trains_on_what() -> None:
    row = xadapt.list_recipes()["translation_ranking"]
    assert (row["module"], row["data"], row["reader"]) == ("lora", "parallel pairs", "parallel")
    assert "DAP" in row["paper"] and row["description"].startswith("A LoRA that brings sentences")
    assert xadapt.list_recipes()["ner"]["data"] == "tagged sentences"
    assert xadapt.list_recipes()["probe"]["module"] == "none"


def test_a_long_description_ends_where_a_clause_ends() -> None:
    assert xadapt.list_recipes()["mlm"]["description"] == (
        "A language module: a LoRA that learns your language from plain text"
    )


def test_lists_import_nothing_heavy() -> None:
    heavy = "{'torch', 'numpy', 'transformers', 'matplotlib', 'pandas', 'pydantic'}"
    code = (
        "import sys, xadapt\n"
        "for name in xadapt.__all__:\n"
        "    if name.startswith('list_'):\n"
        "        repr(getattr(xadapt, name)())\n"
        f"print({heavy} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
