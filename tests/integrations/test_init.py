from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tiny_commands import Place, good

from xadapt import integrations as bridges
from xadapt.backbones.encoder.encoder import Encoder
from xadapt.core.errors import UserError
from xadapt.inference.open_module import open_module
from xadapt.integrations.verify import MERGED


def test_naming_the_bridges_imports_none_of_the_libraries() -> None:
    code = "import sys\nfrom xadapt import integrations\n"
    code += "print({'adapters', 'peft', 'torch'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_every_library_is_usable_or_says_why_not() -> None:
    found = bridges.usable()
    assert list(found) == ["adapters", "peft", "transformers", "sentence-transformers"]
    assert all(reason is None or reason for reason in found.values())


def test_comparisons_of_a_module_of_ours(place: Place, tmp_path: Path) -> None:
    good(*place.train(tmp_path / "m", "--loaders", "all"))
    encoder = Encoder.from_pretrained(str(place.base), dtype="float32")
    module, manifest = open_module(str(tmp_path / "m"), encoder)
    compare = bridges.compare_loaders(str(place.base), module, ["a cat", "a dog on the mat"])
    usable = {name for name, reason in bridges.usable().items() if reason is None}
    assert set(compare) == {*usable, MERGED}
    for name in usable - {"sentence-transformers"}:  # the base has no id it could name
        assert compare[name](tmp_path / "m") <= 1e-5
        assert manifest.loaders[name].status == "verified"  # type: ignore[index]
    with pytest.raises(UserError):
        bridges.compare_loaders("/no/such/base", module, ["a"])
