"""What all views share: how states look, rows of codes, and plain words. No Textual here."""
