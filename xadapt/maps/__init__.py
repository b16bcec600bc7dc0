"""Maps between two spaces of word vectors. One file for each method."""

NOT_PARTS = (
    "base_words",
    "contract",
    "dictionary",
    "embedding_map",
    "induction",
    "normalising",
    "precision",
    "vector_files",
    "word_vectors",
)
