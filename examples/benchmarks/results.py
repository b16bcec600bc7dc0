"""Write RESULTS.md from the JSON of the benchmarks; no number is typed in.

python examples/benchmarks/results.py
"""

from __future__ import annotations

import textwrap
from pathlib import Path

import consumer_tables
import decoding_tables
import entity_tables
import graph_tables
import hub_tables
import kg_tables
import language_model_tables
import maps_tables
import objectives_tables
import open_ner_tables
import publish_tables
import serve_tables
import speed_tables as speed
import synthetic_tables
import systems
import tables
import transfer_tables as tasks
import translation_tables
import vocabulary_tables
import word_tables
from bench import HERE, RESULTS, read

TITLE = """# Measured results

Each table stands under the command that made it; `DATA` is a folder with
`parallel/en-xx.tsv.gz` and `extra/parallel/en-xx.tsv.gz` (English, the language, source tag).
Written by `results.py` from `results/*.json`. Times are of the machine named, which other work
may have shared: read them as ratios. One seed where no number of seeds is told.
"""
GERMAN = "alignment_de_translation_ranking"
QUOTED = (
    (
        "results",
        "alignment_de_translation_ranking",
        "Sentence retrieval on 500 Tatoeba pairs that no training sentence equals, on the "
        "English-only MiniLM, one seed",
        tables.alignment,
    ),
    (
        "pairs",
        "how_many_pairs_MiniLM_de",
        "German on the English-only MiniLM, recipe translation_ranking, 500 Tatoeba pairs that no "
        "training sentence equals, one seed",
        lambda result: tables.how_many_pairs(result, read(RESULTS / f"{GERMAN}.json")),
    ),
    (
        "longer",
        "alignment_de_translation_ranking_longer",
        "The same pairs twice over, with twice the rank",
        tables.alignment,
    ),
    (
        "peers",
        "peers",
        "The same LoRA trained on the same German pairs by other stacks, each in its own process",
        speed.peers,
    ),
    (
        "mini",
        "languages_mini_translation_ranking",
        "A module a language on mini: sentence retrieval with English on pairs that neither the "
        "module nor mini saw, one seed",
        tables.languages_short,
    ),
    (
        "gallery",
        "gallery_MiniLM",
        "A module for each of 20 languages on MiniLM: sentence retrieval with English on pairs "
        "that no module was trained on, one seed",
        hub_tables.gallery,
    ),
    (
        "gallery-mini",
        "gallery_mini",
        "The same on mini, which saw none of the test sentences either",
        hub_tables.gallery_short,
    ),
    (
        "loaders",
        "loaders",
        "The lines of the card of two modules, run as printed in environments without xadapt",
        hub_tables.loaders,
    ),
    (
        "transfer",
        "transfer_ner_mini_500",
        "Named entities learnt in English and looked for in other languages, on mini, with other "
        "modules below the task module and, as controls, those of another language",
        tasks.transfer,
    ),
    (
        "mixtures",
        "mixtures_mini",
        "Named entities in four languages at once and in French, which none has seen, on mini: one "
        "LoRA a language, weighed in several ways",
        tasks.mixtures,
    ),
    (
        "mixed",
        "mixed_rows",
        "The same modules composed in one batch by three libraries",
        tables.mixed_short,
    ),
)
KINDS = (
    ("alignment_", "German: {result[recipe]}", tables.alignment),
    (
        "objectives_",
        "Published systems: {result[system]} on {result[base]}",
        objectives_tables.objectives,
    ),
    ("joint", "Four objectives in one recipe, and each alone", objectives_tables.joint),
    (
        "relations_",
        "Relations from English to other languages, on {result[base]}",
        tasks.relations,
    ),
    ("open_ner_", "Spans of labels never trained, on {result[base]}", open_ner_tables.open_ner),
    ("prokd_", "ProKD: named entities by unlabelled text, on {result[base]}", tasks.prokd),
    (
        "entity_modules_",
        "Names of entities by language, on {result[base]}",
        entity_tables.entity_modules,
    ),
    ("entity_switching", "Masked entities after code-switching", entity_tables.switching),
    ("knowledge_modules", "Tasks above knowledge modules", entity_tables.knowledge),
    ("knowledge_probes", "Texts fed by knowledge modules", entity_tables.probes),
    ("embedding_maps", "Maps between word vectors", maps_tables.embedding_maps),
    ("graphs", "Knowledge graphs: counts and floors", graph_tables.graphs),
    ("align_dbp", "Entities aligned: {result[set]} on {result[base]}", kg_tables.aligned),
    ("align_", "{result[size]:,} synthetic entities aligned", kg_tables.million),
    ("complete_graphs_", "Facts completed: DBP-5L on {result[base]}", kg_tables.completed),
    ("vote_names_", "Names of entities voted over sources", consumer_tables.names),
    ("link_concepts_", "Concepts of names: HPO on {result[base]}", consumer_tables.linked),
    ("match_claims_", "Tweets and verified claims", consumer_tables.matched),
    ("match_cldr_", "Sentences and rows of CLDR", consumer_tables.matched_cldr),
    ("consumer_speed", "Speed of candidates and of walks", consumer_tables.speed),
    ("judge_graphs_", "Candidates judged: DBP-5L on {result[base]}", consumer_tables.judged),
    (
        "modalities_",
        "Names and structure with parts missing: {result[set]} on {result[base]}",
        consumer_tables.fused,
    ),
    ("synthetic_languages", "Synthetic languages", synthetic_tables.synthetic),
    ("word_alignment", "Word alignment", word_tables.words),
    ("projection", "Labels projected along word alignment", word_tables.projection),
    ("marker_translation", "Labels in a translation with brackets", decoding_tables.markers),
    ("projected_training", "Modules that learnt from projected labels", decoding_tables.projected),
    (
        "constrained_labelling",
        "Names that an encoder-decoder writes, constrained and free",
        decoding_tables.labelling,
    ),
    ("decoding_speed", "Speed of constrained decoding", decoding_tables.speed),
    ("languages_", "One module a language, on {result[base]}", tables.languages),
    ("how_many_pairs_", "How many pairs: {result[lang]} on {result[base]}", tables.how_many_pairs),
    (
        "own_vocabulary_names",
        "A vocabulary from names alone, on {result[base]}",
        vocabulary_tables.own_vocabulary,
    ),
    ("own_vocabulary", "A vocabulary of the language's own", vocabulary_tables.own_vocabulary),
    ("own_language", "Questions and answers within German", tables.own_language),
    ("peers_large", "Every pair against 8,000 others, beside cached gradients", speed.peers),
    ("peers", "Time to equal accuracy, and memory, beside other stacks", speed.peers),
    ("step", "A training step on XLM-R-base's shape", speed.step),
    ("baselines", "What a small encoder knows", tables.baselines),
    (
        "transfer_",
        "From English to other languages: {result[task]} on {result[base]}",
        tasks.transfer,
    ),
    ("mixtures_", "Mixtures of LoRAs: named entities on {result[base]}", tasks.mixtures),
    (
        "long_documents_",
        "Documents of {result[words]} words: {result[task]} in {result[lang]} on {result[base]}",
        tasks.long_documents,
    ),
    ("labels", "Several labels a text, and classes of pairs", tasks.labels),
    ("open_ie_", "Open triples, learnt in English, on {result[base]}", tasks.open_ie),
    ("engine", "What frozen saves", speed.engine),
    ("lines", "Rows that share lines", speed.lines),
    ("memory", "Memory on a base of XLM-R-large's size", speed.memory),
    ("serving", "Serving many modules", speed.serving),
    ("serve_load", "Serving over HTTP", serve_tables.load),
    ("serve_equality", "Vectors over HTTP, beside the library", serve_tables.equality),
    ("serve_soak", "A long run over HTTP", serve_tables.soak),
    ("serve_overload", "Memory under more load than the server holds", serve_tables.overload),
    ("serve_faults", "Faults over HTTP", serve_tables.faults),
    ("ray_shards", "Shards by Ray, torchrun and one process", serve_tables.shards),
    ("threads", "Threads that share a base", speed.threads),
    ("search", "Search over many vectors", speed.search),
    ("reading", "Reading large files", speed.reading),
    ("exports", "Exports of modules for each task, beside xadapt", tables.exports),
    ("mixed_rows", "Compositions in one batch, beside adapters and peft", tables.mixed_rows),
    ("kill_and_resume", "Killed and resumed", tables.kills),
    ("versions_", "Times before and after the package was laid out in rooms", speed.versions),
    ("byte_flips", "Single bytes changed in published folders", tables.flips),
    (
        "publish_and_verify",
        "Published, verified elsewhere, damaged and cut",
        publish_tables.published,
    ),
    (
        "selective",
        "Instructions translated around their code, formulas and JSON",
        translation_tables.selective,
    ),
    (
        "annotate_faults",
        "Annotating against a server that fails",
        language_model_tables.annotated,
    ),
    (
        "judge_bias",
        "Candidates judged by a voter with a bias of place",
        language_model_tables.biased,
    ),
    ("malformed_folders", "Malformed module folders", hub_tables.malformed),
    ("loaders", "The lines of a card in environments without xadapt", hub_tables.loaders),
    ("gallery_", "A family of modules: 20 languages on {result[base]}", hub_tables.gallery),
)

SHORT = {
    "word_alignment": lambda _: word_tables.short(),
    "vocabulary_alignment": vocabulary_tables.short,
    "prokd": lambda _: tasks.short_prokd(),
    "relation_extraction": lambda _: tasks.short_relations(),
    "span_labeller": lambda _: open_ner_tables.short(),
    **entity_tables.SHORT,
}
"""What is told in short about a recipe, where `objectives_tables.short` doesn't."""


def main() -> None:
    parts = [TITLE]
    for path in sorted(RESULTS.glob("*.json"), key=order):
        result = read(path)
        _, title, show = next(kind for kind in KINDS if path.stem.startswith(kind[0]))
        name = title.format(result=result)
        parts.append(
            f"## {name}\n\n```\n{result['command']}\n```\n\n{result['machine']}\n\n{show(result)}"
        )
    (HERE / "RESULTS.md").write_text("\n".join(parts), encoding="utf-8")
    quote()
    write_measured()


def write_measured() -> None:
    """Put what each experiment found between the marks of its recipes, for ``xadapt explain``."""
    for recipe in sorted((HERE.parent.parent / "adapter_configs").glob("*.yaml")):
        text = recipe.read_text(encoding="utf-8")
        if "# measured:" in text:
            system = text.partition("# measured:")[2].split()[0]
            recipe.write_text(with_measured(text, system), encoding="utf-8")
    maps_tables.write_measured(HERE.parent.parent / "xadapt" / "maps")


def with_measured(text: str, system: str) -> str:
    """A recipe with the newest result of a system; the block stands alone on its lines."""
    before, _, rest = text.partition(f"  # measured: {system}\n")
    after = rest.partition("  # /measured\n")[2]
    found = SHORT.get(system, objectives_tables.short)(system)
    said = textwrap.fill(found, 92, break_on_hyphens=False)
    block = textwrap.indent(said, "    ")
    return f"{before}  # measured: {system}\n  measured: >\n{block}\n  # /measured\n{after}"


def quote() -> None:
    """Put the main tables between their marks in the README and on the page of benchmarks."""
    root = HERE.parent.parent
    for page in (root / "README.md", root / "docs" / "benchmarks.md"):
        text = page.read_text(encoding="utf-8")
        text = between(text, "systems", systems.systems())
        for mark, name, said, show in QUOTED:
            path = RESULTS / f"{name}.json"
            if path.exists():
                result = read(path)
                text = between(text, mark, f"{said} ({result['machine']}):\n\n{show(result)}")
        page.write_text(text, encoding="utf-8")


def between(text: str, mark: str, shown: str) -> str:
    """The text with something new between a pair of marks, if it has them."""
    start, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    if start not in text:
        return text
    before, _, rest = text.partition(start)
    return f"{before}{start}\n{shown}{end}{rest.partition(end)[2]}"


def order(path: Path) -> tuple[int, str]:
    """Tables in the order of KINDS."""
    place = next(i for i, kind in enumerate(KINDS) if path.stem.startswith(kind[0]))
    return place, path.stem


if __name__ == "__main__":
    main()
