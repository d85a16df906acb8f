"""The nouns: dimensions and specs, nodes and ops, graphs, errors, and where things come from."""
