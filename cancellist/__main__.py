"""`python -m cancellist` is `cancellist`."""

from cancellist.cli.main import main

main()
