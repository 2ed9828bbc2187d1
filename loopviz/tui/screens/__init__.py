"""The screens: the picture with the list of scenarios, and what opens over it."""
