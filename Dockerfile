# Hookline's one image: the server, the command line, and what stands beside the step in a Pod.
#
# BASE may be any Debian or Ubuntu with Python 3.11 or newer. Each of the stages `launcher`,
# `packages` and `hookline` can be replaced by a folder that was made elsewhere, for a build without
# a network: docs/operate/image.md.
ARG BASE=python:3.12-slim-bookworm

FROM ${BASE} AS launcher
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc make musl-tools
COPY runner/agent/launcher.c runner/agent/launcher.mk /launcher/
RUN make -C /launcher -f launcher.mk

# Compiled without a look at the sources' times, as the server's user cannot write what it compiles.
FROM ${BASE} AS packages
RUN python3 -m venv /uv && /uv/bin/pip install --quiet --no-cache-dir uv
ENV UV_PYTHON=/uv/bin/python UV_NO_CACHE=1 COMPILE="-m compileall -q --invalidation-mode unchecked-hash"
WORKDIR /source
COPY pyproject.toml uv.lock ./
RUN /uv/bin/uv export --quiet --frozen --no-dev --no-emit-project \
      --extra kubernetes --extra s3 --extra postgres --output-file /requirements.txt \
 && /uv/bin/uv pip install --quiet --requirements /requirements.txt --target /packages \
 && rm -rf /packages/bin /packages/.lock /packages/kubernetes/aio \
 && python3 $COMPILE /packages

# On its own, so that a new version of Hookline is a small layer.
FROM packages AS hookline
COPY README.md LICENSE ./
COPY pipelines pipelines
COPY webhooks webhooks
COPY runner runner
RUN /uv/bin/uv pip install --quiet --no-deps . --target /hookline \
 && rm -rf /hookline/bin /hookline/.lock \
 && python3 $COMPILE /hookline

FROM ${BASE}
RUN command -v git >/dev/null \
 || (apt-get update \
     && apt-get install -y --no-install-recommends ca-certificates git \
     && rm -rf /var/lib/apt/lists/*)
RUN echo hookline:x:10001:10001::/var/lib/hookline:/usr/sbin/nologin >>/etc/passwd \
 && echo hookline:x:10001: >>/etc/group \
 && install --directory --owner=10001 --group=10001 /var/lib/hookline
RUN python3 -m venv --without-pip /opt/hookline \
 && cd /opt/hookline/lib/python3*/site-packages \
 && echo /opt/hookline/packages >hookline.pth \
 && cd /opt/hookline \
 && printf '%s\n' '#!/opt/hookline/bin/python' \
      'from runner.cli.main import main' 'main()' >bin/hookline \
 && printf '%s\n' '#!/bin/sh' \
      'exec /opt/hookline/bin/python -I -S -X utf8 /opt/hookline/packages/runner/agent/pod/__main__.py "$@"' \
      >bin/hookline-agent \
 && chmod 0755 bin/hookline bin/hookline-agent
COPY --from=packages /packages /opt/hookline/packages
COPY --from=hookline /hookline /opt/hookline/packages
COPY --from=launcher /launcher/launcher /opt/hookline/bin/launcher

# By number, which is how a cluster sees that it is not root.
USER 10001:10001
ENV PATH=/opt/hookline/bin:/usr/local/bin:/usr/bin:/bin \
    HOOKLINE_DATA=/var/lib/hookline \
    HOOKLINE_LISTEN__HOST=0.0.0.0
WORKDIR /var/lib/hookline
EXPOSE 8080
ENTRYPOINT ["hookline"]
CMD ["serve"]
