"""Mechanism: databases, calls, events, tasks, pages. Knows no service."""
