"""The harness behind the command `check`: properties that every part must have, on environments with known answers."""
