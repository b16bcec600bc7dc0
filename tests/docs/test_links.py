"""Links of pages outside the site lead somewhere; those inside are checked when it is built."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from docs.pages import ROOT

PAGES = ["README.md", "CONTRIBUTING.md", "docs/index.md", "docs/concepts.md"]
LINK = re.compile(r"\]\((?!https?:)([^)\s]+)\)")
GENERATED = {"reference/python.md", "reference/command_line.md", "reference/recipes.md"}
GENERATED |= {"benchmarks/results.md", "images/quickstart.png"}


def anchors(page: Path) -> set[str]:
    """What headings are called in links, as GitHub and mkdocs do for plain words."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", h).strip().lower().replace(" ", "-") for h in heads}


def dead(page: Path) -> list[str]:
    """The links of a page that lead nowhere."""
    found = []
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        where, _, anchor = link.partition("#")
        target = page.parent / where if where else page
        missing = where not in GENERATED and not target.exists()
        headed = missing or not anchor or target.suffix != ".md" or anchor in anchors(target)
        if missing or not headed:
            found.append(link)
    return found


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    assert dead(ROOT / name) == []


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    page.write_text("# A b\n[x](a.md#a-b) [y](no.md) [z](#c) [w](https://a.b/c)\n")
    assert dead(page) == ["no.md", "#c"]


def test_the_readme_is_short_and_the_version_is_one() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    before, _, rest = text.partition("<!-- systems -->")  # a line a recipe, which grows by itself
    own = before + rest.partition("<!-- /systems -->")[2]
    assert len(own.splitlines()) <= 145
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert f'version = "{cited["version"]}"' in (ROOT / "pyproject.toml").read_text()


def test_workflows_and_templates_are_yaml() -> None:
    files = [*(ROOT / ".github").rglob("*.yml")]
    assert len(files) >= 5
    for file in files:
        assert isinstance(yaml.safe_load(file.read_text(encoding="utf-8")), dict), file


def test_notebooks_are_saved_without_outputs() -> None:
    files = list((ROOT / "examples" / "notebooks").glob("*.ipynb"))
    assert len(files) == 3
    for file in files:
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        assert code and not any(cell["outputs"] or cell["execution_count"] for cell in code)
