"""Running emitted source: loading it safely, checking arguments, calling it."""
