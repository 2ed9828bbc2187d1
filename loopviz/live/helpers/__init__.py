"""Helper processes that scenarios need beside the server, and the workspace that starts and ends them."""
