from __future__ import annotations

from pathlib import Path

import pytest
from local_hub import LocalHub
from tiny_folders import manifest_of, random_module
from tiny_models import tiny_encoder

from xadapt.core.errors import UserError
from xadapt.hub.composition_file import write_composition
from xadapt.hub.fetching import module_folder
from xadapt.hub.folder import write_folder
from xadapt.hub.installed import installed_modules


def test_every_revision_in_the_cache_is_listed(local_hub: LocalHub, tmp_path: Path) -> None:
    encoder = tiny_encoder("bert")
    module = random_module(encoder, "lora")
    folder = tmp_path / "sw"
    write_folder(folder, module, encoder, manifest_of(encoder, module), verify={}, loaders="none")
    write_composition(tmp_path / "both", "x", {"x": folder})
    assert installed_modules() == ([], [])
    first = local_hub.put_folder("org/sw", folder)
    module_folder("org/sw")
    second = local_hub.put("org/sw", {**local_hub.files("org/sw"), "note.txt": b"1"})
    module_folder("org/sw")
    local_hub.put_folder("org/both", tmp_path / "both")
    module_folder("org/both")
    local_hub.put("org/broken", {"xadapt.json": b"{"})
    with pytest.raises(UserError):
        module_folder("org/broken")
        from xadapt.hub.opening import require_module

        require_module(module_folder("org/broken"))
    found, skipped = installed_modules()
    assert len(skipped) == 1 and "broken" in skipped[0]
    assert {(one.id, one.revision) for one in found if one.id == "org/sw"} == {
        ("org/sw", first),
        ("org/sw", second),
    }
    named = {one.revision: one.names for one in found}
    assert named[second] == ("main",) and named[first] == ()
    [both] = [one for one in found if one.id == "org/both"]
    assert both.composition == "sw" and len(both.manifests) == 1 and both.bytes > 1000
    assert str(both).startswith("sw; composition of lora on someone/tiny-base; ")
    assert both.to_dict()["modules"][0]["languages"] == ["sw"]
