"""Repairs of source code: text in, text out. It knows no timeline, server or terminal."""
