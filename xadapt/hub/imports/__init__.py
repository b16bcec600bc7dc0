"""Folders of other libraries, read as modules of xadapt: exactly, or not at all."""
