"""The table of systems in the README: a line a recipe, with the result that was measured here."""

from __future__ import annotations

from pathlib import Path

import entity_tables
import kg_tables
import maps_tables
import open_ner_tables
import transfer_tables
from bench import RESULTS, read
from consumer_tables import short_linked
from objectives_tables import short
from tables import scores, table, ways
from vocabulary_tables import short as vocabulary
from word_tables import short as word_alignment

NOT_MEASURED = "not measured here"


def alignment(name: str) -> str:
    """Accuracy before and after, from the run of one recipe on German."""
    test = scores(read(RESULTS / f"alignment_de_{name}.json")["test"])
    base, module = test["frozen base"], test["module, both sides"]
    return f"MiniLM, German to / from English: {ways(base)}, with the module {ways(module)}"


def transfer(task: str, system: str, beside: str = "") -> str:
    """The mean over languages of one system trained in English on mini, and of another."""
    result = read(RESULTS / f"transfer_{task}.json")
    own = mean(result, system)
    measure = "F1" if result["task"] == "ner" else "accuracy"
    langs = ", ".join(result["languages"])
    other = f"; {beside} {mean(result, beside)}" if beside else ""
    return f"mini, from English to {langs}: {measure} of {system} {own}{other}"


def mixture(system: str, *beside: str) -> str:
    """The mean F1 of one way to weigh experts on mini, and of others."""
    result = read(RESULTS / "mixtures_mini.json")
    others = "".join(f"; {name} {mean(result, name)}" for name in beside)
    return f"mini, {', '.join(result['seen'])}: F1 {mean(result, system)}{others}"


def open_ie(measure: str) -> str:
    """F1 in English and in the other languages, one LoRA and heads alone, on mini."""
    result = read(RESULTS / "open_ie_mini.json")
    shown = [
        f"{row[measure]['languages']['en']['mean']:.3f} / {row[measure]['mean']['mean']:.3f}"
        for row in (result["systems"][name] for name in ("one LoRA", "heads only"))
    ]
    return f"mini, in English / elsewhere: F1 {shown[0]}; heads only {shown[1]}"


def labels(task: str, measure: str) -> str:
    """One measure of a task with labels, beside its control."""
    result = read(RESULTS / "labels.json")
    found = {row["system"]: row["scores"][measure] for row in result["tasks"][task]["rows"]}
    what = f"{result['base']}, {task}, {measure}"
    scores = (found[name]["mean"] for name in ("module", "shuffled labels"))
    return "{}: {:.3f}, with shuffled labels {:.3f}".format(what, *scores)


def own(variant: str) -> str:
    """nDCG of one variant on German questions, beside the base, on the first base measured."""
    rows = read(RESULTS / "own_language.json")["rows"]
    base, found = rows[0], next(row for row in rows if row["variant"] == variant)
    what = "German question to answer, nDCG@10"
    return f"{base['base']}, {what}: {base['ndcg']:.3f}, with the module {found['ndcg']:.3f}"


def published(system: str) -> str:
    """The main measure of an experiment of `objectives.py`, on each base."""
    return short(system)


def linked() -> str:
    """R@1 of a re-ranker on names of concepts, beside its candidates and spelling alone."""
    if not (RESULTS / "link_concepts_mini.json").is_file():
        return NOT_MEASURED
    return short_linked(read(RESULTS / "link_concepts_mini.json"))


def mean(result: dict, system: str) -> str:
    """The mean of a system over languages and seeds, with its deviation."""
    found = result["systems"][system]["mean"]
    return f"{found['mean']:.3f}" + (f" ± {found['sd']:.3f}" if found["sd"] else "")


def systems() -> str:
    """The whole table."""
    ner, pos = "ner_mini_500", "pos_mini"
    rows = [
        ("translation_ranking", "LoRA: sentences to where their translations are",
         alignment("translation_ranking")),
        ("vocabulary_alignment", "the same with a vocabulary of the language's own", vocabulary()),
        ("translation_ranking_bottleneck", "the same with bottlenecks",
         alignment("translation_ranking_bottleneck")),
        ("quickstart_sentences", "translation ranking in minutes, on sentences that ship",
         "the picture above"),
        ("quickstart", "translation ranking in minutes, on names that ship", NOT_MEASURED),
        ("mad_x_language", "language module of MAD-X, below a task module",
         transfer(ner, "language + task (MAD-X)", "task module")),
        ("mlm", "language module as a LoRA, from plain text", NOT_MEASURED),
        ("vocabulary_mlm", "the same with a vocabulary of the language's own", NOT_MEASURED),
        ("align_mlm", "a map of word embeddings by dictionary and plain text",
         published("align_mlm")),
        ("tlm", "masked tokens of a sentence and its translation", NOT_MEASURED),
        ("dict_mlm", "masked words whose labels are translations", published("dict_mlm")),
        ("ner", "named entities", transfer(ner, "alignment + task", "task module")),
        ("pos_tagging", "parts of speech", transfer(pos, "alignment + task", "task module")),
        ("probe", "a head on the bare base, the control", transfer(pos, "head only")),
        ("mixture_of_loras", "several LoRAs and a router, learnt together",
         mixture("mixture trained at once", "one LoRA of the rank of all")),
        ("router", "a router over frozen LoRAs", mixture("learnt router", "uniform mixture")),
        ("adapter_fusion", "attention over frozen modules", mixture("fusion", "uniform mixture")),
        ("open_ie_predicates", "predicates of open triples", open_ie("predicates")),
        ("open_ie_arguments", "their arguments", open_ie("arguments given predicates")),
        ("relation_extraction", "relations between two entities that own markers mark",
         transfer_tables.short_relations()),
        ("classification", "classes of texts", NOT_MEASURED),
        ("multi_label", "any number of labels for a text", labels("entity types", "micro f1")),
        ("pair_classification", "classes of pairs of texts", NOT_MEASURED),
        ("candidate_ranking", "candidates of mentions ranked again, or none of them",
         linked()),
        ("filter_classification", "classes of texts that are read with their translations",
         published("filter_classification")),
        ("filter_tagging", "labels of words that are read with their translations", NOT_MEASURED),
        ("prokd_teacher", "named entities with prototypes aligned to unlabelled text",
         transfer_tables.short_prokd()),
        ("prokd_student", "named entities taught on unlabelled text",
         transfer_tables.short_prokd()),
        ("span_labeller", "spans of labels that are given as texts", open_ner_tables.short()),
        ("passage_filter", "ratings of texts, and which are worth keeping", NOT_MEASURED),
        ("filter_qa", "answers that are read with their translations", NOT_MEASURED),
        ("sts", "likeness of pairs of texts", NOT_MEASURED),
        ("qa", "answers in a passage", NOT_MEASURED),
        ("sentence_pairs", "vectors for search in one language, from pairs", own("pairs")),
        ("hard_negatives", "the same with hard negatives", own("hard negatives")),
        ("teacher_distillation", "vectors that follow another model",
         "with pairs: " + own("teacher")),
        ("scored_pairs", "vectors that follow the scores of pairs", NOT_MEASURED),
        ("scored_pairs_regression", "vectors whose cosines are scores", NOT_MEASURED),
        ("linear_map", "one linear map of the last states", NOT_MEASURED),
        ("xadapt map", "word vectors of a language to those of another, from a dictionary",
         maps_tables.short("rcsls")),
        ("word_alignment", "words to their translations", word_alignment()),
        ("word_alignment_acc", "the same with bottlenecks, as AccAlign", NOT_MEASURED),
        ("clism_cacr", "hidden names found in the translation, and agreement",
         published("clism_cacr")),
        ("dap", "ranking, and the translation read off the states", published("dap")),
        ("ml_ctl", "sentences and words contrasted", published("ml_ctl")),
        ("clism", "hidden names alone", NOT_MEASURED),
        ("cacr", "agreement alone", NOT_MEASURED),
        ("qa_from_clism", "answers in a passage, from pointers to hidden names", NOT_MEASURED),
        ("dense_retrieval", "questions to passages in another language",
         published("dense_retrieval")),
        ("indic_sbert_nli", "inference triples of pooled languages", published("indic_sbert")),
        ("indic_sbert_sts", "then the scores of pairs", published("indic_sbert")),
        ("text_to_text", "texts that an encoder-decoder writes", NOT_MEASURED),
        ("translation", "translations that an encoder-decoder writes", NOT_MEASURED),
        ("easyproject_markers", "translations that keep brackets around names", NOT_MEASURED),
        ("domain_seq2seq", "plain text of a domain, below a task module", NOT_MEASURED),
        ("mlkg_ep", "names of entities of a graph", entity_tables.short_ep()),
        ("mlkg_tp", "facts of a graph", kg_tables.short("TP")),
        ("mlkg_es", "descriptions of entities", NOT_MEASURED),
        ("mlkg_ts", "sentences without an entity, and its name", entity_tables.short_relx("TS")),
        ("mlkg_one", "the four at once, in one big module", NOT_MEASURED),
        ("mlkg_fused", "attention over modules of a graph", kg_tables.short("EP and TP fused")),
        ("entity_cs", "masked entities in code-switched sentences",
         entity_tables.short_entity_cs()),
        ("entity_cs_wep", "the same, whole entities", NOT_MEASURED),
        ("entity_cs_pep_mrs", "the same, tokens that are masked, replaced or left", NOT_MEASURED),
        ("entity_cs_pep_m", "the same, masked tokens alone", NOT_MEASURED),
    ]  # fmt: skip
    return table(["recipe", "what it is", "result"], [[f"`{name}`", *rest] for name, *rest in rows])


def recipes() -> set[str]:
    """Every recipe that ships."""
    return {file.stem for file in (Path(__file__).parents[2] / "adapter_configs").glob("*.yaml")}
