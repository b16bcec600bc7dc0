"""Copy the top-level data folders into the package when a wheel is built; the rest is pyproject."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

FOLDERS = ("kg_data", "adapter_configs")


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


setup(cmdclass={"build_py": BuildWithData})
