# One image: the server, and the command line.
ARG BASE=python:3.12-slim-bookworm
FROM ${BASE} AS build
COPY pyproject.toml uv.lock README.md LICENSE /source/
COPY pipelines /source/pipelines
COPY webhooks /source/webhooks
COPY runner /source/runner
RUN python3 -m venv /opt/hookline \
 && /opt/hookline/bin/pip install --no-cache-dir --quiet uv \
 && cd /source \
 && /opt/hookline/bin/uv export --frozen --no-dev --no-emit-project --extra postgres -o /requirements.txt -q \
 && /opt/hookline/bin/uv pip install --python /opt/hookline/bin/python --no-cache -q -r /requirements.txt \
 && /opt/hookline/bin/uv pip install --python /opt/hookline/bin/python --no-cache -q --no-deps /source \
 && /opt/hookline/bin/uv pip uninstall --python /opt/hookline/bin/python -q uv

FROM ${BASE}
RUN command -v git >/dev/null || \
    (apt-get update && apt-get install -y --no-install-recommends git && rm -rf /var/lib/apt/lists/*)
COPY --from=build /opt/hookline /opt/hookline
RUN useradd --system --uid 10001 --home-dir /var/lib/hookline --create-home hookline
USER 10001
ENV PATH=/opt/hookline/bin:/usr/local/bin:/usr/bin:/bin \
    HOOKLINE_DATA=/var/lib/hookline \
    HOOKLINE_HOST=0.0.0.0
VOLUME /var/lib/hookline
EXPOSE 8080
ENTRYPOINT ["hookline"]
CMD ["serve"]
