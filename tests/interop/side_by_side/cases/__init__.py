"""Importing this registers all cases."""
from cases import admin, groups, locks, nameserver, offsets, pop, pulls, queries, sends, timers, transactions  # noqa: F401
