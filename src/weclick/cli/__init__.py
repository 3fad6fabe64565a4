"""Command line: parsing, dispatch, exit codes. No tensor code."""
