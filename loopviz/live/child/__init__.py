"""The process of a server: what is executed in it. See `loopviz.live.hosts.process`, which starts it."""
