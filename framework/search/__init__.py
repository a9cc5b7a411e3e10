"""The search for good values: trials of a composition with other options, each an ordinary run.

The command `sweep` calls `framework.search.sweep`. Optuna chooses the values; it is imported only when a sweep starts.
"""
