"""What may be taken for what, family by family. Each file ends with the tuple of its rules."""
