"""The event stream: what events are, how they are buffered, and the protocol of what provides them."""
