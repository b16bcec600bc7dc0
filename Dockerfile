# xadapt serve on the CPU, without root. Build:  docker build -t xadapt .
# Run:    docker run --rm -p 8080:8080 -v "$PWD/modules:/modules:ro" xadapt \
#           --base mini --module sw=/modules/sw
FROM python:3.11-slim-bookworm AS build

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /srv/venv
WORKDIR /src
COPY constraints.txt pyproject.toml setup.py README.md LICENSE MANIFEST.in ./
# The CPU build of torch first: without it pip takes gigabytes of CUDA libraries.
RUN /srv/venv/bin/pip install --extra-index-url https://download.pytorch.org/whl/cpu \
      -c constraints.txt torch
COPY adapter_configs adapter_configs
COPY kg_data kg_data
COPY xadapt xadapt
RUN /srv/venv/bin/pip install -c constraints.txt '.[serve]'

FROM python:3.11-slim-bookworm

RUN useradd --create-home --uid 10001 --shell /usr/sbin/nologin xadapt
COPY --from=build /srv/venv /srv/venv
USER 10001
WORKDIR /home/xadapt
ENV PATH=/srv/venv/bin:$PATH HF_HOME=/home/xadapt/cache PYTHONUNBUFFERED=1
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s CMD ["python", "-c", \
  "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/ready', timeout=2)"]
ENTRYPOINT ["xadapt", "serve", "--host", "0.0.0.0", "--port", "8080"]
CMD ["--base", "mini"]
