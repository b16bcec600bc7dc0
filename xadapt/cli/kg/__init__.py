"""The verbs of ``xadapt kg``, each found by its file."""
