"""``xadapt gallery``: the page of a collection, from the modules' own folders."""

from __future__ import annotations

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tiny_commands import Place, good, xadapt

from xadapt.core.files import read_json
from xadapt.hub.gallery import collect
from xadapt.hub.opening import read_manifest
from xadapt.hub.renewing import renew
from xadapt.report.gallery import (
    Gallery,
    GalleryModule,
    GalleryScore,
    GallerySection,
    render_gallery,
)

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """Checks that elements are closed in order, and keeps tags, links and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.links += [value for name, value in attrs if name in ("href", "src")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "title"} & set(self.open):
            self.text += data


@pytest.fixture(scope="module")
def folder(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Modules for two languages with evidence, and one without any score."""
    folder = tmp_path_factory.mktemp("collection")
    for tag in ("de", "fi"):
        given = [tag if one == "de" else one for one in place.train(folder / tag)]
        good(*given, "--licence", "apache-2.0")
    for tag in ("de", "fi"):
        good("evaluate", "bitext", "--base", place.base, "--module", folder / tag, "--data",
             place.test, "--evidence")  # fmt: skip
    shutil.copytree(folder / "de", folder / "more" / "nl")
    renew(folder / "more" / "nl", {}, languages=["nl"], evidence=[])
    (folder / "more" / "nl" / "evidence.json").unlink()
    return folder


def test_the_page_has_every_module_with_its_numbers(folder: Path, tmp_path: Path) -> None:
    done = good("gallery", folder, "--out", tmp_path / "page.html", "--json", tmp_path / "p.json")
    assert "3 modules" in done.out
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    page = Page(text)
    told = read_json(tmp_path / "p.json")
    rows = {m["language"]: m for s in told["sections"] for m in s["modules"]}
    assert set(rows) == {"German", "Finnish", "Dutch"} and "script" not in page.tags
    for tag, name, other in (("de", "German", "fi"), ("fi", "Finnish", "de")):
        evidence = read_json(folder / tag / "evidence.json")["measurements"][0]["systems"]
        means = {
            (row["role"], row["sides"]): sum(s["value"] for s in row["scores"].values()) / 2
            for row in evidence
        }
        score = rows[name]["score"]
        assert score["value"] == pytest.approx(means["module", "both"])
        assert score["base"] == pytest.approx(means["frozen base", None])
        assert score["tfidf"] == pytest.approx(means["tf-idf", None])
        assert score["stranger"] == pytest.approx(means["wrong language", "both"])
        assert f"{score['value']:.3f}" in page.text
        assert f"{score['value'] - score['base']:+.3f}" in page.text
        assert rows[name]["held_out"] and rows[name]["licence"] == "apache-2.0"
        size = (folder / tag / read_manifest(folder / tag).module.file).stat().st_size
        assert rows[name]["bytes"] == size and other
    assert rows["Dutch"]["score"] is None and "not measured" in page.text
    for link in page.links:
        assert (tmp_path / link).resolve().is_file(), link
    outside = [part for part in ("http:", "https:", "@import", "url(") if part in text]
    assert outside == []


def test_the_page_lies_in_the_folder_and_is_written_again(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "all")
    for _ in range(2):
        good("gallery", tmp_path / "all", "--title", "Mine")
    assert "Mine" in (tmp_path / "all" / "gallery.html").read_text(encoding="utf-8")
    (tmp_path / "own.html").write_text("<p>my page</p>", encoding="utf-8")
    done = xadapt("gallery", tmp_path / "all", "--out", tmp_path / "own.html")
    assert done.code == 2 and "no page of a gallery" in done.err and len(done.lines) == 1
    assert (tmp_path / "own.html").read_text(encoding="utf-8") == "<p>my page</p>"
    good("gallery", tmp_path / "all", "--out", tmp_path / "own.html", "--force")


def test_a_damaged_module_is_passed_over(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "all")
    said = json.loads((tmp_path / "all" / "fi" / "xadapt.json").read_text())
    said["evidence"][0]["value"] = 0.99
    (tmp_path / "all" / "fi" / "xadapt.json").write_text(json.dumps(said))
    done = good("gallery", tmp_path / "all")
    assert "passed over" in done.err and "2 modules" in done.out
    text = (tmp_path / "all" / "gallery.html").read_text(encoding="utf-8")
    assert "not what was published" in text and str(tmp_path) not in text


def test_mistakes(tmp_path: Path) -> None:
    for given in (tmp_path, tmp_path / "none"):
        done = xadapt("gallery", given)
        assert done.code == 2 and len(done.lines) == 1
    assert list(tmp_path.iterdir()) == []


def test_scores_on_the_development_split_are_a_section_of_their_own(folder: Path, tmp_path: Path):
    shutil.copytree(folder, tmp_path / "all")
    (tmp_path / "all" / "fi" / "evidence.json").unlink()
    fi = read_manifest(tmp_path / "all" / "fi")
    renew(
        tmp_path / "all" / "fi", {},
        evidence=[one for one in fi.evidence if one.data == "development split"],
    )  # fmt: skip
    found = collect(tmp_path / "all", tmp_path / "page.html")
    metrics = [(section.metric, len(section.modules)) for section in found.sections]
    both = "bitext: accuracy, mean of both directions, with the module on both sides"
    assert metrics == [("", 1), (both, 1), (f"{both}, development split", 1)]


def test_no_text_of_a_module_is_markup() -> None:
    evil = '"><script>alert(1)</script>{{ 1 }}'
    score = GalleryScore(2.0, -1.0, 0.5, None)
    one = GalleryModule(evil, evil, evil, evil, evil, score, evil, 3, False, 5, evil, (evil,))
    none = GalleryModule("b", "b", "b", "b", "b", None, "", None, False, 500_000, "mit", ())
    gallery = Gallery(evil, (GallerySection(evil, evil, (one, none)),), (evil,))
    text = render_gallery(gallery)
    assert "script" not in Page(text).tags and "<script" not in text
    assert "left:100.00%" in text and "left:0.00%" in text  # no mark outside its track
