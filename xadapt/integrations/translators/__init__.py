"""Translators: a protocol of one method, its backends, and a cache on disk.

A translator is named by text:

``apertium``
    The rule-based system of that name, where it is installed.
``seq2seq:ORG/NAME``
    A translation model of transformers: NLLB, M2M100, mBART or Marian. A folder works too.
``llm:openai:MODEL@URL``
    A language model: an endpoint, or ``llm:local:FOLDER``.
``file:TRANSLATIONS.tsv``
    Translations that exist: a text and its translation on each line, with a tab between them.
"""
