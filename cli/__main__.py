"""`python -m cli` is `cancellist`."""

from cli.main import main

main()
