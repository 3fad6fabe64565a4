"""The memory: teacher predictions on neighbours, carried to the target, fused, stored."""
