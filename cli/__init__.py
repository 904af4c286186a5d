"""The commands of `cancellist`.

One module for each command group holds what a user may type, and is light, so that `--help` is quick; what a command
does is imported when it runs.
"""

from cancellist.worker import process_start

process_start.hear_the_end()
process_start.put_off_collecting()
