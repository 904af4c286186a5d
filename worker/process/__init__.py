"""The process of a worker: how it starts, runs under arq, shows that it is alive, and ends."""
