# Two stages: the first has pip and the build tools, the second only what runs.
FROM python:3.12-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1
RUN python -m venv /app
WORKDIR /src
COPY requirements-run.lock ./
RUN /app/bin/pip install --require-hashes -r requirements-run.lock
# The tool that builds the project comes from the lock too; it stays behind in this stage, and so does pip.
COPY requirements.lock ./
RUN sed -n '/^setuptools==/,/[^\\]$/p' requirements.lock > build.lock \
 && pip install --root-user-action=ignore --require-hashes -r build.lock
COPY pyproject.toml README.md LICENSE ./
COPY dialogs dialogs
COPY integrations integrations
COPY storage storage
COPY bot bot
RUN pip wheel --no-deps --no-index --no-build-isolation --wheel-dir dist . \
 && /app/bin/pip install --no-deps --no-index dist/*.whl \
 && /app/bin/pip uninstall --yes pip

FROM python:3.12-slim
LABEL org.opencontainers.image.title="fixit-exchange" org.opencontainers.image.licenses="MIT"
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 LOG_FORMAT=json
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin fixit \
 && install -d -o fixit -g fixit -m 0750 /data /data/var
COPY --from=build /app /app
USER 10001
# The only folder that is written to: var/fixit.db below it, if SQLite is used. The root may be read-only.
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
# 503 makes urlopen raise, and the exit code is 1 then.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ.get('PORT') or 8000}/health\", timeout=4)"]
ENTRYPOINT ["fixit"]
CMD ["serve"]
