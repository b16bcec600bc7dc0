"""xadapt: alignment modules on a frozen multilingual encoder."""
