"""``xadapt map`` and ``xadapt map-vectors``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from xadapt.cli import launched, options
from xadapt.cli.verbs import Verb

OF_BASE = "Word vectors of a base"


def map_(
    source: Annotated[
        str | None,
        typer.Option(
            "--src-emb",
            "--src",
            metavar="FILE",
            help="Word vectors of the language to map: text of word2vec or fastText (.vec, .txt, "
            "also compressed), or word2vec's .bin. With --base: running text.",
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--tgt-emb", "--tgt", metavar="FILE", help="The same for the language to map to."
        ),
    ] = None,
    dictionary: Annotated[
        str,
        typer.Option(
            "--dico-train",
            "--dictionary",
            metavar="FILE",
            help="Pairs of a source word and a target word, separated by a space or a tab; or "
            "identical_char.",
        ),
    ] = ...,  # type: ignore[assignment]
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder to make.")] = ...,  # type: ignore[assignment]
    test: Annotated[
        str | None,
        typer.Option(
            "--dico-eval",
            "--test",
            metavar="FILE",
            help="Dictionary to measure on. Without it, a fifth of the words is held out.",
        ),
    ] = None,
    method: Annotated[
        str,
        typer.Option(metavar="NAME", help="procrustes, refine, rcsls or vecmap: xadapt explain."),
    ] = "procrustes",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="OPTION=VALUE",
            help=f"An option of the method, such as model=spectral. {options.SEVERAL}",
        ),
    ] = None,
    normalize: Annotated[
        str | None,
        typer.Option(
            "--normalize",
            "--normalize-embeddings",
            metavar="ACTIONS",
            help="unit (or renorm), center, centeremb, none, in order, with commas. Without it: "
            "unit,center,unit; center,unit with --base.",
        ),
    ] = None,
    max_vocab: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Most words of each side; 0 reads all (default: 200000; 5000 with --base).",
        ),
    ] = None,
    reverse: Annotated[
        bool, typer.Option("--reverse", help="Swap the columns of the dictionaries.")
    ] = False,
    lower: Annotated[
        bool, typer.Option("--lower", help="Lower-case the words of the dictionaries.")
    ] = False,
    dev: Annotated[
        float,
        typer.Option(metavar="SHARE", min=0, max=0.9, help="Share of the words to choose on."),
    ] = 0.1,
    held_out: Annotated[
        float,
        typer.Option(
            metavar="SHARE", min=0, max=0.9, help="Share to measure on, without --dico-eval."
        ),
    ] = 0.2,
    csls: Annotated[
        int, typer.Option(metavar="K", min=1, help="Neighbours of CSLS when measuring.")
    ] = 10,
    controls: Annotated[
        bool, typer.Option("--controls", help="Also measure a shuffled dictionary.")
    ] = False,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the split.")] = 0,
    base: Annotated[
        str | None,
        typer.Option(metavar="BASE", rich_help_panel=OF_BASE, help=options.BASE_HELP),
    ] = None,
    lang: Annotated[
        str | None,
        typer.Option(metavar="TAG", rich_help_panel=OF_BASE, help="Language of the module."),
    ] = None,
    pivot: options.PivotOption = None,
    layer: Annotated[
        str | None,
        typer.Option(
            metavar="N",
            rich_help_panel=OF_BASE,
            help="States after this many layers, or embeddings. Without it: after the last.",
        ),
    ] = None,
    contexts: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, rich_help_panel=OF_BASE, help="Most contexts of a word (20)."
        ),
    ] = None,
    base_id: Annotated[
        str | None,
        typer.Option(
            metavar="ORG/NAME", rich_help_panel=OF_BASE, help="Hub id of a base that is a folder."
        ),
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option(metavar="SPDX", rich_help_panel=OF_BASE, help="Licence of the module."),
    ] = None,
    json: options.JsonOption = None,
) -> None:
    """Map word vectors of one language to those of another, from a dictionary."""
    options.require(
        base is not None or (source is not None and target is not None),
        "give --src-emb and --tgt-emb",
        "With --base, they may be left out",
    )
    given = {"pivot": pivot, "contexts": contexts}
    for name, value in given.items():
        options.require(base is not None or value is None, f"--{name} does nothing without --base")
    with launched.progress("fitting the map"):
        from xadapt.pipelines.map_run import map_embeddings

        more: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        result = map_embeddings(
            source,
            target,
            dictionary,
            out=out,
            test=test,
            method=method,
            options=_settings(settings),
            normalize=normalize,
            max_vocab=max_vocab,
            reverse=reverse,
            lower=lower,
            dev=dev,
            held_out=held_out,
            csls=csls,
            controls=controls,
            seed=seed,
            base=base,
            lang=lang,
            layer=int(layer) if layer is not None and layer.isdigit() else layer,
            base_id=base_id,
            licence=licence,
            report=lambda line: typer.echo(line, err=True),
            **more,
        )
    options.save_json(json, {"command": "map", **result.to_dict()})
    typer.echo(str(result))
    typer.echo(f"wrote {out}")


def map_vectors(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A folder that xadapt map wrote.")
    ],
    vectors: Annotated[
        str, typer.Option("--vectors", "--emb", metavar="FILE", help="Word vectors to map.")
    ],
    out: Annotated[
        Path,
        typer.Option(metavar="FILE", dir_okay=False, help="Text file of word vectors to make."),
    ],
    side: Annotated[
        str,
        typer.Option(metavar="SIDE", help="source, or target: the side these vectors belong to."),
    ] = "source",
    max_vocab: Annotated[int, typer.Option(metavar="N", min=0, help="Most words; 0 maps all.")] = 0,
) -> None:
    """Map a file of word vectors with a fitted map."""
    with launched.progress("mapping"):
        from xadapt.core.errors import UserError
        from xadapt.core.registry import unknown
        from xadapt.maps.embedding_map import SIDES, EmbeddingMap
        from xadapt.maps.vector_files import read_vectors, require_new, write_vectors

        if side not in SIDES:
            raise UserError(unknown("side", side, SIDES), where="--side")
        require_new(out)
        own = EmbeddingMap.from_pretrained(folder)
        given = read_vectors(vectors, max_vocab)
        write_vectors(out, own.transform_words(given, side))
    for note in given.notes:
        typer.echo(note, err=True)
    typer.echo(f"wrote {out}: {len(given):,} words")


def _settings(given: list[str] | None) -> dict[str, Any]:
    """Read ``OPTION=VALUE`` with values as in YAML."""
    from xadapt.core.strict_parsing import parse_yaml

    found: dict[str, Any] = {}
    for text in options.split(given):
        name, sign, value = text.partition("=")
        options.require(bool(name and sign), f"--set {text}: write OPTION=VALUE")
        found[name] = parse_yaml(value, where=f"--set {name}")[0]
    return found


VERBS = (
    Verb(
        "map",
        "Train",
        map_,
        (
            "xadapt map --src-emb de.vec --tgt-emb en.vec --dico-train de-en.txt \\\n"
            "    --method rcsls --out de-en",
            "xadapt map --base mini --lang de --dictionary de-en.txt --out de-words",
        ),
    ),
    Verb(
        "map-vectors",
        "Use",
        map_vectors,
        (
            "xadapt map-vectors de-map --vectors de.vec --out mapped.de.vec",
            "xadapt map-vectors de-map --vectors en.vec --side target --out mapped.en.vec",
        ),
    ),
)
