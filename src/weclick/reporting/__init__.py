"""Reports, tables, plots and pictures for people, and the loggers that metrics go to."""
