"""The container's files: what they pass to the server is what the command line takes."""

from __future__ import annotations

import json
import re

import typer
import yaml
from docs.pages import ROOT

from xadapt.cli.app import app


def parses(arguments: list[str]) -> None:
    root = typer.main.get_command(app)
    name, command, rest = root.resolve_command(root.make_context("xadapt", ["serve"]), arguments)
    command.make_context(name, rest)


def test_the_image_starts_the_server_without_root() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    entry = json.loads(re.search(r"^ENTRYPOINT (\[.*\])$", text, re.M)[1])
    given = json.loads(re.search(r"^CMD (\[.*\])$", text, re.M)[1])
    assert entry[0] == "xadapt"
    parses([*entry[1:], *given])
    users = re.findall(r"^USER (\S+)$", text, re.M)
    assert users == ["10001"] and text.rindex("USER") < text.index("ENTRYPOINT")
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.M)
    wanted = {name for line in copied for name in line.split()}
    kept = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert wanted <= {line[1:] for line in kept if line.startswith("!")}
    assert all((ROOT / name).exists() for name in wanted)


def test_the_compose_file_names_options_that_there_are() -> None:
    said = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    [service] = said["services"].values()
    words = [re.sub(r"\$\{\w+:-(\w+)\}", r"\1", word) for word in service["command"]]
    parses(["serve", *words])
    keys = {words[i + 1] for i, word in enumerate(words) if word.endswith("-key-env")}
    assert keys == set(service["environment"])
    assert service["ports"] == ["127.0.0.1:8080:8080"] and service["read_only"]
