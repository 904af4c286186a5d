"""`python -m cancellist.cli` is `cancellist`."""

from cancellist.cli.main import main

main()
