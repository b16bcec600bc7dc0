from __future__ import annotations

import sys
from pathlib import Path

import pytest

from xadapt.backbones.bases import Base, resolve
from xadapt.core.errors import UserError


@pytest.fixture
def package(tmp_path, monkeypatch):
    root = tmp_path / "site" / "tinybase_pkg"
    (root / "model").mkdir(parents=True)
    (root / "__init__.py").write_text("raise RuntimeError('a base is found without importing')")
    (root / "model" / "config.json").write_text("{}")
    (tmp_path / "site" / "secret").mkdir()
    (tmp_path / "site" / "tinybase_pkg_twin").mkdir()
    (root / "out").symlink_to(tmp_path / "site" / "secret")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    yield root
    sys.modules.pop("tinybase_pkg", None)


def test_a_folder_in_a_package(package):
    base = resolve("package:tinybase_pkg/model")
    assert (base.kind, base.location) == ("package", str((package / "model").resolve()))
    assert base.spec == "package:tinybase_pkg/model"
    assert resolve("package:tinybase_pkg").location == str(package.resolve())
    assert base.file("config.json").read_text() == "{}"
    assert base.file("modules.json") is None


def test_mini_comes_with_xadapt(tmp_path, monkeypatch):
    base = resolve("mini")
    place = Path(base.location)
    assert (base.spec, base.kind, place.parts[-2:]) == ("mini", "package", ("xadapt", "mini"))
    files = [path for path in place.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 25e6
    assert not [path for path in files if path.suffix in (".bin", ".pt", ".pkl", ".py")]
    (tmp_path / "mini").mkdir()
    monkeypatch.chdir(tmp_path)
    assert resolve("mini") == base and resolve("./mini").location == str(tmp_path / "mini")


@pytest.mark.parametrize(
    "inside",
    [
        "..",
        "../secret",
        "../tinybase_pkg_twin",
        "model/../../secret",
        "/etc",
        "//etc",
        "out",
        "out/",
        "./../secret",
        "a\x00b",
        "absent",
        "model/config.json",
        "~",
        "x" * 5000,
    ],
)
def test_nothing_outside_the_package_is_reached(package, inside):
    with pytest.raises(UserError) as caught:
        resolve(f"package:tinybase_pkg/{inside}")
    assert "tinybase_pkg" in str(caught.value)


@pytest.mark.parametrize(
    "spec",
    ["package:", "package:/etc", "package:../x/y", "package:a.b/c", "package:..", "package: "],
)
def test_no_package_name(spec):
    with pytest.raises(UserError, match="package name"):
        resolve(spec)


def test_an_absent_package_says_what_to_install():
    with pytest.raises(UserError, match="pip install no-such-base-pkg"):
        resolve("package:no_such_base_pkg/model")
    with pytest.raises(UserError, match="no folder"):
        resolve("package:string/x")


def test_a_folder(tmp_path):
    base = resolve(str(tmp_path))
    assert (base.kind, base.location) == ("folder", str(tmp_path.resolve()))
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="this is a file"):
        resolve(str(tmp_path / "file"))


def test_hub_ids(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    base = resolve("org-1/name_2.x")
    assert (base.kind, base.location, base.revision) == ("hub", "org-1/name_2.x", None)
    assert base.options == {"trust_remote_code": False, "revision": None}
    pinned = resolve("org/name@refs/pr/1")
    assert (pinned.location, pinned.revision) == ("org/name", "refs/pr/1")
    assert resolve("bert-base-uncased").kind == "hub"
    (tmp_path / "bert-base-uncased").mkdir()
    assert resolve("bert-base-uncased").kind == "folder"


@pytest.mark.parametrize(
    "spec",
    ["", " ", "/no/such", "./no", "../no", "a/b/c", "org/", "/x", "org/na me", "o@", "a\x00"],
)
def test_neither_folder_nor_hub_id(spec):
    with pytest.raises(UserError, match="there is no base"):
        resolve(spec)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "", "a\\..\\x"])
def test_no_file_outside_the_base(tmp_path, name):
    for base in (resolve(str(tmp_path)), Base("o/n", "hub", "o/n")):
        with pytest.raises(UserError):
            base.file(name)
