"""The one error a user can cause, and how it is worded."""

from __future__ import annotations


class UserError(Exception):
    """A mistake in what the user gave: printed as one line, never as a traceback.

    Args:
        what: What was wrong, in one sentence.
        where: File, or ``file:line``, or the option it was found in.
        todo: What to do about it.
    """

    def __init__(self, what: str, *, where: str = "", todo: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.todo = what, where, todo

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return " ".join(f"{head}. {self.todo}".split()) if self.todo else " ".join(head.split())


class Notice(UserWarning):
    """A warning that the command line shows as one line, unlike those of other libraries."""


def missing_extra(package: str, extra: str) -> UserError:
    """The error for a package that only an extra brings."""
    return UserError(
        f"this needs the package {package!r}, which is not installed",
        todo=f"pip install 'xadapt[{extra}]'",
    )
