"""What a person can put right: bad arguments and bad input."""

__all__ = ["InputError"]


class InputError(Exception):
    """Says in one or two lines what is wrong and what to do. The program ends with code 2."""
