"""A live server: session, client, server and helper processes. Imports nothing: helpers start fast."""
