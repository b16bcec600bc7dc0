"""Language tags, matching of tags, and language families."""
