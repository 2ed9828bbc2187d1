"""A live server: session, client, server and helper processes. Imports nothing: a helper starts fast."""
