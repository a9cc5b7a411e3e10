"""The harness behind the command `check`. It tests every part's properties on environments with known answers."""
