"""What graphgrad costs and what it gains, measured. See README.md in this folder."""
