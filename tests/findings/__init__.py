"""Tests of the rules, each with a trace that triggers it and a near miss."""
