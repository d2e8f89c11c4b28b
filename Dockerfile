# Two stages: pip, the build back end and the sources stay in the first; the second has the plain base image,
# a virtual environment and an unprivileged user.

FROM python:3.13-slim AS builder
# Unset by default. `--build-arg PIP_INDEX_URL=…` installs the packages from another index.
ARG PIP_INDEX_URL
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
# The environment has no pip of its own: the builder's pip installs into it.
RUN python -m venv --without-pip /opt/jobindex
COPY pyproject.toml README.md LICENSE ./
COPY migrations/ migrations/
COPY jobindex/ jobindex/
# A wheel, as users install it, not an editable install: the package must contain the SQL files.
# The extra is psycopg with a libpq of its own, 13 MB of the environment's 39; it has no wheel for 32-bit ARM.
RUN pip wheel --no-deps --wheel-dir /wheels . \
 && pip --python /opt/jobindex/bin/python install "$(ls /wheels/*.whl)[postgres,aws]"

FROM python:3.13-slim
# Fixed ids, so that the owner of a volume's files is the same in every build.
RUN groupadd --gid 10001 jobindex \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin jobindex \
 && install --directory --owner=10001 --group=10001 --mode=0750 /data
COPY --from=builder /opt/jobindex /opt/jobindex
# 0.0.0.0 is the container's own network; the published port decides on access from the host.
ENV PATH=/opt/jobindex/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    JOBINDEX_DATABASE_URL=sqlite:////data/jobindex.db \
    JOBINDEX_HTTP_HOST=0.0.0.0
USER 10001:10001
WORKDIR /data
# A new named volume takes over the directory's owner; a directory on the host must belong to 10001.
VOLUME ["/data"]
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["jobindex", "healthcheck"]
# The exec form makes jobindex process 1, so SIGTERM reaches it.
ENTRYPOINT ["jobindex"]
CMD ["serve"]
