"""``python -m weclick``."""

from weclick.cli.main import main

if __name__ == "__main__":
    main()
