"""The runner: from the names of plugins to findings, in watched processes."""
