"""Annotation in the browser: the server, and the page that it serves from ``page/``."""
