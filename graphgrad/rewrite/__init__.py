"""Rewriting a graph into one that computes the same with less: rules that are data, and what applies them."""
