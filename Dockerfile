# docker build -t pluggable-q .
# docker run --rm -v "$PWD/runs:/work/runs" pluggable-q run --plugins pong --run-dir runs/pong
#
# docker stop ends a run as Ctrl-C does, with a checkpoint: allow some seconds more with `docker stop --time 60`.
FROM python:3.11-slim

# for another index of packages, such as the one with torch's builds for processors alone, which are much smaller
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL

WORKDIR /opt/pluggable-q
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY framework framework
COPY plugins plugins
COPY envs envs
RUN pip install --no-cache-dir --constraint constraints.txt '.[all,hub,ray,search]'

# runs belong to this user: give the folder on your machine to it, or start with --user "$(id -u):$(id -g)"
RUN useradd --create-home --uid 1000 learner && mkdir -p /work/runs && chown -R learner /work
USER learner
WORKDIR /work
ENV PYTHONUNBUFFERED=1 MPLCONFIGDIR=/tmp/matplotlib
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "framework"]
CMD ["--help"]
