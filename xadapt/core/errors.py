"""The error that a user can cause, and its message."""

from __future__ import annotations


class UserError(Exception):
    """A mistake in the user's input, printed as one line and never as a traceback.

    Args:
        what: The mistake, in one sentence.
        where: The file, ``file:line`` or option with the mistake.
        todo: The way to correct the mistake.
    """

    def __init__(self, what: str, *, where: str = "", todo: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.todo = what, where, todo

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return " ".join(f"{head}. {self.todo}".split()) if self.todo else " ".join(head.split())


class Notice(UserWarning):
    """A warning that the command line shows as one line, unlike warnings of other libraries."""


def missing_extra(package: str, extra: str) -> UserError:
    """Build the error for a missing package that only an extra installs."""
    return UserError(
        f"this needs the package {package!r}, which is not installed",
        todo=f"pip install 'xadapt[{extra}]'",
    )
