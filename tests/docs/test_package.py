"""What PyPI shows: the README with links that lead home, and addresses."""

from __future__ import annotations

import re
import runpy
import tomllib
from typing import Any

import pytest
from docs.pages import ROOT

setuptools = pytest.importorskip("setuptools")
HOME = "https://example.org/xadapt"


def told(monkeypatch: pytest.MonkeyPatch, **environment: str) -> dict[str, Any]:
    """What setup.py hands to setuptools."""
    for name in ("XADAPT_HOME", "GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_REF_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    given: dict[str, Any] = {}
    monkeypatch.setattr(setuptools, "setup", lambda **options: given.update(options))
    runpy.run_path(str(ROOT / "setup.py"))
    return given


def test_links_and_pictures_of_the_readme_lead_home(monkeypatch: pytest.MonkeyPatch) -> None:
    given = told(monkeypatch, XADAPT_HOME=HOME, GITHUB_REF_NAME="v0.1.0")
    links = re.findall(r"\]\(([^)]+)\)", given["long_description"])
    assert len(links) > 10 and all(link.startswith("https://") for link in links)
    assert f"({HOME}/raw/v0.1.0/examples/images/quickstart.png)" in given["long_description"]
    assert f"({HOME}/blob/v0.1.0/docs/concepts.md)" in given["long_description"]
    assert given["project_urls"]["Issues"] == f"{HOME}/issues"
    assert "<!--" not in given["long_description"] and "given.pairs" not in str(given)


def test_a_workflow_names_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    given = told(
        monkeypatch, GITHUB_SERVER_URL="https://github.com", GITHUB_REPOSITORY="someone/xadapt"
    )
    assert given["project_urls"]["Homepage"] == "https://github.com/someone/xadapt"
    assert "(https://github.com/someone/xadapt/blob/main/" in given["long_description"]


def test_without_a_repository_no_address_is_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    given = told(monkeypatch)
    assert given["project_urls"] == {}
    assert "(docs/concepts.md)" in given["long_description"]


def test_the_package_says_that_it_is_typed_and_on_which_python() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    said = project["project"]["classifiers"]
    assert (ROOT / "xadapt" / "py.typed").is_file() and "Typing :: Typed" in said
    assert "py.typed" in project["tool"]["setuptools"]["package-data"]["xadapt"]
    for version in ("3.11", "3.12", "3.13"):
        assert f"Programming Language :: Python :: {version}" in said
        assert f'python: "{version}"' in (ROOT / ".github/workflows/ci.yml").read_text()
