"""The commands of `cancellist`.

One module for each command group holds what a user may type, and is light, so that `--help` is quick; what a command
does is imported when it runs.
"""

from cancellist.worker.process import start

start.hear_the_end()
start.put_off_collecting()
