"""Checks of the stream: which transitions it gives (`transitions`), and what it shows (`observations`)."""
