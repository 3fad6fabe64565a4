"""Pictures, plots and reports that people look at."""
