"""The command line as a module: ``python -m xadapt``, ``torchrun -m xadapt``."""

from __future__ import annotations

from xadapt.cli.app import main

if __name__ == "__main__":
    main()
