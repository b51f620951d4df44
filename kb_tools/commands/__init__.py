"""One thin file a command: options in, functions called, output and exit code out."""
