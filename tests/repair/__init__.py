"""Tests of the repairs of source code."""
