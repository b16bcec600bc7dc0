"""Parts of a text that a translation must keep: found by parsers, replaced, restored, checked.

`spans` finds them, `markers` replaces and restores them, `checks` compares a translation with its
source. Nothing of a translator is needed here.

Source: selective translation, Paul et al. 2025, https://arxiv.org/abs/2507.14304, section 3, which
asks a language model to leave such parts as they are. Here they never reach the translator.
"""
