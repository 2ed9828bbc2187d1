"""What runs inside a watched process: it sends what the probe sees to those who watch."""
