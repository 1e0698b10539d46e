"""`python -m archdsl`: the command line without its script."""

from archdsl.cli.main import app_main

if __name__ == "__main__":
    app_main()
