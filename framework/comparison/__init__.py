"""Recorded runs beside each other: arms from any folders, their measures, and what differs between them."""
