"""Annotation in the browser: the server, and the page that it serves from ``page/``."""

from weclick.annotate.api import create_app
from weclick.annotate.catalog import Catalog
from weclick.annotate.security import Access

__all__ = ["Access", "Catalog", "create_app"]
