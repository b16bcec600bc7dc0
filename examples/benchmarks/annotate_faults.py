"""Annotating 1,000 passages against a server that fails at one request in five, cut 10 times.

    python examples/benchmarks/annotate_faults.py --kills 10

The server speaks OpenAI's API on loopback; the client is the real package openai. The command
runs in a process of its own (a fork, which need not import anything), and is cut by Ctrl-C, SIGTERM
or SIGKILL. The model is a few
rules: what is measured is whether every passage ends accepted or rejected, and whether a question
that was answered is asked again. Needs no data.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench import save

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

import forked
from model_server import FAULTS, serving
from tiny_annotator import annotator, passage

SIGNALS = {"Ctrl-C": signal.SIGINT, "SIGTERM": signal.SIGTERM, "SIGKILL": signal.SIGKILL}
WORKERS = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=10)
    given = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        text = "".join(json.dumps({"id": i, "text": passage(i)}) + "\n" for i in range(given.rows))
        (place / "texts.jsonl").write_text(text, encoding="utf-8")
        with serving(annotator, share=0.2) as server:
            whole = run(place, "whole", server.url, {})
            ways = {"not cut": told(whole, server, {}, 0)}
        for name, number in SIGNALS.items():
            with serving(annotator, share=0.2) as server:
                cuts = dict.fromkeys(steps(given.kills, whole), number)
                made = run(place, name, server.url, cuts, server)
                ways[name] = told(made, server, whole, given.kills)
    save("annotate_faults", {"rows": given.rows, "workers": WORKERS, "ways": ways})


def steps(kills: int, whole: dict[str, Any]) -> list[int]:
    """The numbers of answers after which the command is cut."""
    return [(n + 1) * whole["asked"] // (kills + 1) for n in range(kills)]


def run(
    place: Path, name: str, url: str, cuts: dict[int, int], server: Any = None
) -> dict[str, Any]:
    """Run the command, cut it where told, and take it up until it ends."""
    out = place / f"{name}.jsonl"
    line = ["annotate", "--data", place / "texts.jsonl", "--lang", "sw", "--native-labels"]
    line += ["--llm", f"openai:tiny@{url}", "--out", out, "--json", place / f"{name}.json"]
    line += ["--concurrency", WORKERS]
    env = {"XADAPT_CACHE": str(place / f"cache {name}")}
    codes: Counter[str] = Counter()
    for answers, number in cuts.items():
        process = forked.command(*line, env=env)
        while server.answered.total() < answers and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(number)
        process.communicate()
        codes[str(process.returncode)] += 1
        assert not out.exists()
    last = forked.command(*line, env=env)
    said = last.communicate()
    assert last.returncode == 0, said
    found = json.loads((place / f"{name}.json").read_text("utf-8"))
    log = place / f"{name}.jsonl.log.jsonl"
    return {
        **{key: found[key] for key in ("rows", "accepted", "rejected", "reasons")},
        "asked": found["models"][0]["asked"],
        "codes": codes,
        "output": out.read_bytes(),
        "log": log.read_bytes(),
    }


def told(made: dict[str, Any], server: Any, whole: dict[str, Any], kills: int) -> dict[str, Any]:
    """Counts of the command and of the server."""
    answered = +server.answered
    same = not whole or all(made[key] == whole[key] for key in ("output", "log"))
    return {
        **{key: made[key] for key in ("rows", "accepted", "rejected", "reasons")},
        "codes": dict(made["codes"]),
        "kills": kills,
        "same": same,
        "requests": server.requests.total(),
        "faults": {name: server.sent[name] for name in FAULTS},
        "questions": len(answered),
        "answers": answered.total(),
        "twice": answered.total() - len(answered),
    }


if __name__ == "__main__":
    main()
