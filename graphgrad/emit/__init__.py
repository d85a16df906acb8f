"""Writing a plan down as NumPy source that a person can read."""
