"""Which application is meant, and what it offers: plain data, without importing it."""
