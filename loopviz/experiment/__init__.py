"""Measurements without a screen: one run, several bursts on one server, and the claims' laboratory."""
