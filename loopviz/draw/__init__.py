"""What every view shares: cells from segments, their look, and plain words. No Textual here."""
