"""The kinds of repair: one module for each."""
