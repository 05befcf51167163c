# A server for one release; the release is mounted, not baked in: it holds the team's own documents.
#
# Without ARGOT_API_KEY the server refuses to start; to let everyone in, add `--open` to the command.
# Behind a proxy, put TLS in front; /healthz and /readyz need no key, /metrics does.
#
#   docker build -t argot .
#   docker run --read-only --tmpfs /tmp -p 8000:8000 -e ARGOT_API_KEY=... \
#     -v "$PWD/models/release:/release:ro" -v argot-feedback:/feedback argot
FROM python:3.11-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH
WORKDIR /build
# Libraries first, so that a change of code installs none of them again. torch without CUDA: 200 MB instead of 3 GB.
COPY pyproject.toml setup.py README.md requirements.lock ./
RUN mkdir argot && touch argot/__init__.py && \
    pip install --extra-index-url https://download.pytorch.org/whl/cpu -c requirements.lock '.[cpu,serve,traces]'
COPY argot argot
RUN pip install --no-deps --force-reinstall .

FROM python:3.11-slim
RUN useradd --create-home --uid 10001 argot && mkdir /feedback && chown argot /feedback
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 ARGOT_RELEASE=/release
USER argot
WORKDIR /home/argot
VOLUME /feedback
EXPOSE 8000
HEALTHCHECK --start-period=60s --interval=15s --timeout=5s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
CMD ["argot", "serve", "--host", "0.0.0.0", "--feedback", "/feedback"]
