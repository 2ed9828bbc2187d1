"""The error that a user can fix: wrong arguments and wrong input."""

__all__ = ["InputError", "NotVisibleError"]


class InputError(Exception):
    """Its text says in one or two lines what is wrong and what to do. The program ends with code 2."""


class NotVisibleError(InputError):
    """The probe sees no requests here, so that nothing can be measured. Says why."""
