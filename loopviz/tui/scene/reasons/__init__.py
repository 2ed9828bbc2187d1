"""The reasons view: what was found, why it happens and what to do."""
