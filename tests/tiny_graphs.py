"""Small knowledge graphs as files of every layout, and faults in them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files below a folder; those that end in ``.gz`` are compressed."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        raw = text.encode()
        path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return folder


def lines(*rows: object) -> str:
    """JSON lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


LABEL = "<http://www.w3.org/2000/01/rdf-schema#label>"
DBP15K = {
    "ent_ids_1": "0\thttp://ja.dbpedia.org/resource/東京\n1\thttp://ja.dbpedia.org/resource/日本\n"
    "2\thttp://ja.dbpedia.org/resource/AC/DC_(バンド)\n",
    "ent_ids_2": "3\thttp://dbpedia.org/resource/Tokyo\n4\thttp://dbpedia.org/resource/Japan\n"
    "5\thttp://dbpedia.org/resource/AC%2FDC\n",
    "triples_1": "0\t10\t1\n2\t9\t1\n",
    "triples_2": "3\t20\t4\n",
    "sup_ent_ids": "0\t3\n",
    "ref_ent_ids": "1\t4\n2\t5\n",
    "training_attrs_1": "http://ja.dbpedia.org/resource/東京\tarea\tpopulation\n",
}
OPENEA = {
    "rel_triples_1": "http://dbpedia.org/resource/Paris\tr/capital\thttp://dbpedia.org/resource/F\n",
    "rel_triples_2": "http://fr.dbpedia.org/resource/Paris\tr/de\thttp://fr.dbpedia.org/resource/G\n",
    "attr_triples_1": "http://dbpedia.org/resource/F\thttp://xmlns.com/foaf/0.1/name\t"
    '"France"@en\nhttp://dbpedia.org/resource/F\ta/area\t"5"^^<http://int>\n',
    "attr_triples_2": "http://fr.dbpedia.org/resource/G\ta/x\ty\n",
    "ent_links": "http://dbpedia.org/resource/Paris\thttp://fr.dbpedia.org/resource/Paris\n"
    "http://dbpedia.org/resource/F\thttp://fr.dbpedia.org/resource/G\n",
    "721_5fold/1/train_links": "http://dbpedia.org/resource/F\thttp://fr.dbpedia.org/resource/G\n",
    "721_5fold/1/valid_links": "http://dbpedia.org/resource/F\thttp://fr.dbpedia.org/resource/Paris\n",
    "721_5fold/1/test_links": "http://dbpedia.org/resource/Paris\t"
    "http://fr.dbpedia.org/resource/Paris\n",
}
DBP5L = {
    "entity/ja.tsv": "http://ja.dbpedia.org/resource/東京\nhttp://ja.dbpedia.org/resource/日本\n京都\n",
    "entity/en.tsv": "Tokyo\nJapan\nKyoto_(city)\n",
    "entity/de.tsv": "Tokio\n",
    "relations.txt": "capital\ncountry\n",
    "kg/ja-train.tsv": "0\t1\t1\n",
    "kg/ja-val.tsv": "2\t1\t1\n",
    "kg/ja-test.tsv": "1\t0\t0\n",
    "kg/en-train.tsv": "1\t0\t0\n0\t1\t1\n",
    "kg/en-val.tsv": "2\t1\t1\n",
    "kg/en-test.tsv": "2\t1\t0\n",
    "seed_alignlinks/ja-en.tsv": "0.0\t0.0\n1.0\t1.0\n2.0\t2.0\n2.0\t0.0\n",
}
WIKIDATA = {
    "entity.json": lines(
        {
            "id": "Q64",
            "labels": {"en": {"value": "Berlin"}, "ja": {"value": "ベルリン"}},
            "aliases": {"en": [{"value": "Berlin, Germany"}]},
        },
        {"id": "Q183", "labels": {"en": "Germany", "simple": "Germany"}},
    ),
    "relation.json": lines({"id": "P1376", "labels": {"en": {"value": "capital of"}}}),
    "triple.txt": "Q64\tP1376\tQ183\n",
    "description.json": lines({"id": "Q64", "descriptions": {"de": "Berlin ist eine Stadt."}}),
    "triple_en_des.json": lines(
        {
            "token": ["Berlin", "is", "in", "Germany"],
            "subj_start": 0,
            "subj_end": 0,
            "obj_start": 3,
            "obj_end": 4,
            "subj_label": "Q64",
            "obj_label": "Q183",
        }
    ),
}
NTRIPLES = (
    f'<http://x/Q1> {LABEL} "Berlin"@de .\n'
    f'<http://x/Q1> {LABEL} "\\u30D9ルリン \\"市\\""@ja .\n'
    '<http://x/Q1> <http://www.w3.org/2004/02/skos/core#altLabel> "Groß-Berlin"@de .\n'
    f'<http://x/Q2> {LABEL} "Germany"@en . # a remark\n'
    "# a remark\n\n"
    "<http://x/Q1> <http://x/capital_of> <http://x/Q2> .\n"
    "<http://x/Q1> <http://www.w3.org/2002/07/owl#sameAs> <http://y/1> .\n"
    '<http://x/Q1> <http://schema.org/description> "Hauptstadt"@de .\n'
    '<http://x/Q1> <http://x/area> "891"^^<http://x/int> .\n'
    f'_:b {LABEL} "nobody"@en .\n'
)
WIKIKGE = {
    "de.jsonl": lines(
        {"wikidata_id": "Q1", "values": ["Erde A", "Erde"], "primary": [False, True]},
        {"wikidata_id": "Q2", "correct_values": ["Mond"], "incorrect_values": ["Sonne"]},
    ),
    "ja.gpt-4.jsonl.gz": lines(
        {"wikidata_id": "Q1", "values": [[2, "地球", True], [1, "地", False]]}
    ),
}
KG = {
    "entities.tsv": "a\nb\nc\n",
    "names_sw.tsv": "a\tpaka\na\tnyau\nb\tmbwa\n",
    "names_en.tsv": "a\tcat\nb\tdog\nc\tbird\n",
    "relations.tsv": "fears\nlikes\n",
    "relation_names_en.tsv": "fears\tis afraid of\n",
    "train.tsv": "a\tfears\tb\n",
    "dev.tsv": "b\tlikes\ta\n",
    "test.tsv": "c\tfears\ta\n",
    "descriptions_en.tsv": "a\tA cat is an animal.\n",
    "attributes.tsv": "a\tlegs\t4\n",
    "links_train.tsv": "a\tb\n",
    "links_test.tsv": "b\tc\n",
}
LANGUAGES = {
    "relations.txt": "capital\ncountry\n",
    "ja/entities.tsv": "0\t東京\n1\t日本\n",
    "ja/train.tsv": "0\t1\t1\n",
    "ja/val.tsv.gz": "0\t1\t1\n",
    "ja/test.tsv": "1\t0\t0\n",
    "en/entities.tsv": "0\tTokyo\n1\tJapan\n2\tKyoto\n",
    "en/train.tsv": "1\t0\t0\n",
    "en/val.tsv": "2\t1\t1\n",
    "en/test.tsv": "0\t1\t1\n",
    "align_ja-en.tsv": "0\t0\ttrain\n1\t1\ttest\n",
}
TWINS = {
    "ent_1.tsv": "0\t東京\n1\t日本\n",
    "ent_2.tsv": "2\tTokyo\n3\tJapan\n",
    "triples_1.tsv": "0\t5\t1\n",
    "triples_2.tsv": "2\t6\t3\n",
    "align_train.tsv": "0\t2\n",
    "align_test.tsv": "1\t3\n",
}
LAYOUTS: dict[str, tuple[str, Mapping[str, str]]] = {
    "dbp15k": ("dbp15k:{}", DBP15K),
    "openea": ("openea:{}", OPENEA),
    "dbp5l": ("dbp5l:{}", DBP5L),
    "wikidata": ("wikidata:{}", WIKIDATA),
    "ntriples": ("ntriples:{}/a.nt", {"a.nt": NTRIPLES}),
    "wikikge": ("wikikge:{}", WIKIKGE),
    "kg": ("kg:{}", KG),
    "kg of languages": ("kg:{}", LANGUAGES),
    "kg of two graphs": ("kg:{}", TWINS),
}
"""The source and the files of each layout."""


def made(folder: Path, layout: str, **changed: str | None) -> str:
    """Write the files of a layout; some may be changed or left out (``None``).

    Returns:
        The source.
    """
    form, files = LAYOUTS[layout]
    given = {**files, **changed}
    write(folder, {name: text for name, text in given.items() if text is not None})
    return form.format(folder)
