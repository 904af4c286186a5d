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

# A worker has no port and no file that would say more of it than that its process lives, which Docker knows: so there
# is no HEALTHCHECK. It waits out a server that is away, and ends with another exit status than 0 where it cannot go on.
USER 10001:10001
WORKDIR /data
STOPSIGNAL SIGTERM
ENTRYPOINT ["cancellist"]
CMD ["worker"]
