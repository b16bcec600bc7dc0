"""Train and use small alignment modules on a frozen multilingual encoder.

The functions here are those of the command line: `train`, `load`, `encode`, `compose`, `evaluate`
and others. They are defined in `xadapt.api`, which is imported when the first of them is used, so
that ``import xadapt`` and ``xadapt --help`` take no time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xadapt.api import (
        AdaptedEncoder,
        AdaptedSeq2Seq,
        EmbeddingMap,
        Recipe,
        TagLogitsProcessor,
        add_evidence,
        align_graphs,
        align_words,
        build_graph,
        complete_graph,
        compose,
        count_tokens,
        encode,
        encode_shards,
        evaluate,
        import_module,
        index_modules,
        index_passages,
        installed_modules,
        label,
        link_mentions,
        load,
        load_seq2seq,
        map_embeddings,
        match_texts,
        open_index,
        open_vectors,
        profile,
        project,
        project_relations,
        publish,
        rerun_evidence,
        retrieve,
        search,
        train,
        train_structure,
        translate,
        tune,
        verify,
        vote_names,
    )
    from xadapt.pipelines.listing import (
        list_graphs,
        list_maps,
        list_metrics,
        list_modules,
        list_objectives,
        list_readers,
        list_recipes,
        list_tasks,
        list_transforms,
    )

__all__ = [
    "AdaptedEncoder",
    "AdaptedSeq2Seq",
    "EmbeddingMap",
    "Recipe",
    "TagLogitsProcessor",
    "__version__",
    "add_evidence",
    "align_graphs",
    "align_words",
    "build_graph",
    "complete_graph",
    "compose",
    "count_tokens",
    "encode",
    "encode_shards",
    "evaluate",
    "import_module",
    "index_modules",
    "index_passages",
    "installed_modules",
    "label",
    "link_mentions",
    "list_graphs",
    "list_maps",
    "list_metrics",
    "list_modules",
    "list_objectives",
    "list_readers",
    "list_recipes",
    "list_tasks",
    "list_transforms",
    "load",
    "load_seq2seq",
    "map_embeddings",
    "match_texts",
    "open_index",
    "open_vectors",
    "profile",
    "project",
    "project_relations",
    "publish",
    "rerun_evidence",
    "retrieve",
    "search",
    "train",
    "train_structure",
    "translate",
    "tune",
    "verify",
    "vote_names",
]


_DEPRECATED = tuple(
    f"evaluate_{task}" for task in ("classification", "open_ie", "qa", "sts", "tagging")
)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("xadapt")
    if name in __all__ or name in _DEPRECATED:
        from importlib import import_module

        # a list needs no torch
        room = "xadapt.pipelines.listing" if name.startswith("list_") else "xadapt.api"
        return getattr(import_module(room), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
