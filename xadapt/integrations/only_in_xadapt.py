"""The class that a folder names to sentence-transformers if sentence-transformers can't hold it."""

from __future__ import annotations

from typing import Any, NoReturn

from xadapt.core.errors import UserError


class OnlyInXadapt:
    """A step of a model that can't be built: its message says how to load the folder."""

    @classmethod
    def load(cls, model_name_or_path: str, *_: Any, **__: Any) -> NoReturn:
        """Refuse to load.

        Args:
            model_name_or_path: The folder, or the id of a repository.

        Raises:
            UserError: Always.
        """
        raise UserError(
            "sentence-transformers can't hold this module",
            where=str(model_name_or_path),
            todo="Load it with xadapt.load(BASE, FOLDER); README.md in it has the lines",
        )
