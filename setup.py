"""Build steps that pyproject can't say: data folders, links of the README, addresses."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
FOLDERS = ("kg_data", "adapter_configs")
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?![a-z]+:|#)([^)\s]+)\)")


class BuildWithData(build_py):
    """The usual build, and ``kg_data`` and ``adapter_configs`` beside the package's modules.

    An editable install needs no copy: ``xadapt.resources`` finds the folders of the checkout.
    """

    def run(self) -> None:
        """Build, then copy."""
        super().run()
        if getattr(self, "editable_mode", False):
            return
        for folder in FOLDERS:
            target = Path(self.build_lib) / "xadapt" / folder
            shutil.rmtree(target, ignore_errors=True)
            if Path(folder).is_dir():
                shutil.copytree(folder, target)


def home() -> str:
    """The repository's address, from ``XADAPT_HOME`` or a GitHub workflow; empty if unknown."""
    server, name = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_REPOSITORY")
    return os.environ.get("XADAPT_HOME") or (f"{server}/{name}" if server and name else "")


def readme() -> str:
    """The README; where the repository is known, links and pictures lead there from PyPI too."""
    text = (HERE / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"<!--(.*?)-->\n*", "", text, flags=re.DOTALL)  # for tests and results.py
    where, version = home(), os.environ.get("GITHUB_REF_NAME", "main")
    if not where:
        return text

    def absolute(link: re.Match[str]) -> str:
        kind = "raw" if link[1] else "blob"
        return f"{link[1]}[{link[2]}]({where}/{kind}/{version}/{link[3]})"

    return LINK.sub(absolute, text)


def addresses() -> dict[str, str]:
    """The addresses that PyPI shows."""
    where = home()
    pages = {
        "Homepage": "",
        "Documentation": "/tree/main/docs",
        "Changelog": "/blob/main/CHANGELOG.md",
        "Issues": "/issues",
    }
    return {name: where + page for name, page in pages.items()} if where else {}


setup(
    cmdclass={"build_py": BuildWithData},
    long_description=readme(),
    long_description_content_type="text/markdown",
    project_urls=addresses(),
)
