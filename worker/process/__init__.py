"""The process of a worker: how it starts, runs under arq, tells that it lives, and ends."""
