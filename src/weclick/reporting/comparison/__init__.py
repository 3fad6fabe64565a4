"""Tables and plots of a comparison: arms of the method, or one arm at several click budgets."""
