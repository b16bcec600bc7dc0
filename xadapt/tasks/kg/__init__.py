"""Alignment and completion of knowledge graphs: what scorers of graphs share."""
