"""The event stream: the only thing that passes from measuring to showing, and who provides it."""
