# One image for every command: `docker run cancellist worker`, `... enqueue -`, `... sandbox --host 0.0.0.0`.
FROM python:3.13-slim AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY . .
RUN python -m venv /opt/cancellist \
    && /opt/cancellist/bin/pip install -c constraints.txt . \
    && /opt/cancellist/bin/pip uninstall --yes pip

FROM python:3.13-slim

ENV PATH=/opt/cancellist/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CANCELLIST_DATA_DIR=/data

RUN groupadd --gid 10001 cancellist \
    && useradd --uid 10001 --gid cancellist --no-create-home --home-dir /data cancellist \
    && install --directory --owner cancellist --group cancellist --mode 0700 /data

COPY --from=build /opt/cancellist /opt/cancellist

# Whether the worker's event loop ticks; it has nothing to do with the server or the platform. Containers that run another
# command switch it off (`--no-healthcheck`), or have one of their own.
HEALTHCHECK --interval=30s --timeout=15s --start-period=30s --retries=3 CMD ["cancellist", "worker", "--check"]

USER 10001:10001
WORKDIR /data
STOPSIGNAL SIGTERM
ENTRYPOINT ["cancellist"]
CMD ["worker"]
