"""Finding servers that run already, and connecting to them."""
