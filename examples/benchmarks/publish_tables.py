"""The tables of RESULTS.md on published modules."""

from __future__ import annotations

from tables import table


def published(result: dict) -> str:
    """What was verified from where, the changed bytes, and the cut uploads."""
    names = ("module", "transformers", "huggingface_hub", "passed", "failed", "not_checked")
    rows = [[*(str(row[n]) for n in names), "; ".join(row["open"])] for row in result["verified"]]
    head = ["module", "transformers", "huggingface_hub", "passed", "failed", "not checked",
            "what was not checked"]  # fmt: skip
    flips = [[row["file"], str(row["flips"]), str(row["named"])] for row in result["flips"]]
    total = [str(sum(row[name] for row in result["flips"])) for name in ("flips", "named")]
    cuts = result["cuts"]
    lines = [
        ("cut before the upload was done, nothing on the Hub", cuts["nothing yet"]),
        ("cut, and the whole revision on the Hub", cuts["already whole"]),
        ("not cut", cuts["finished"]),
        ("a half of a revision on the Hub", cuts["half"]),
        ("the next upload landed", cuts["landed"]),
        ("with one commit in all", cuts["one commit"]),
    ]
    return "\n".join(
        [
            "Checks of `xadapt verify` in two environments, with an empty cache and the "
            "publisher's public key:\n",
            table(head, rows),
            "A byte changed at random in each file of the published folders; a failed check named "
            "the file:\n",
            table(["file", "changed", "noticed by name"], [*flips, ["**all**", *total]]),
            f"{cuts['uploads']} uploads, the connection cut at a random one of "
            f"{cuts['bytes']:,} bytes that go over it either way:\n",
            table(["", "uploads"], [[name, str(number)] for name, number in lines]),
        ]
    )
