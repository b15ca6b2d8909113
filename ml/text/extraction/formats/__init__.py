"""One module for each kind of document; each has `read(path)`, and runs in the child process alone."""
