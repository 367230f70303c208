# The image of a project: a folder with a predictor.py. lambdacap sends this instead of a Dockerfile of the project's
# own, and with it, a folder for each layer, what goes into it (see images/project_context.py).
#
# As the captioner's (Dockerfile, beside this): works with the classic builder as with BuildKit, needs nothing of the
# base image but sh, coreutils and Python, and equal inputs give equal layers, byte for byte.
#
# Packages do not lie beside the project's modules but where Lambda's runtime looks next: what both call `examples`
# stays apart.
#
# BASE_IMAGE                      AWS's Python for Lambda, or another image laid out as it is
# PIP_INDEX_URL                   where pip looks, as its own variables of these names
# PIP_EXTRA_INDEX_URL
ARG BASE_IMAGE=public.ecr.aws/lambda/python:3.13

FROM ${BASE_IMAGE} AS build
ENV PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1
# freeze: readable by any user, dated 1970; what is right already is left alone.
RUN printf '%s\n' \
    'import os' \
    'for folder, _, files in os.walk("/out"):' \
    '    for path in [*(os.path.join(folder, file) for file in files), folder]:' \
    '        now = os.lstat(path)' \
    '        mode = 0o755 if now.st_mode & 0o100 else 0o644' \
    '        if not os.path.islink(path) and now.st_mode & 0o7777 != mode:' \
    '            os.chmod(path, mode)' \
    '        if now.st_mtime_ns:' \
    '            os.utime(path, (0, 0), follow_symlinks=False)' \
    > /freeze.py


# In one resolution. Of bytecode what compiles: packages bring files that are no valid Python.
FROM build AS requirements
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
COPY requirements/ /requirements/
RUN set -e; cd /requirements; set --; \
    for file in requirements.txt lambdacap-*.txt; do if [ -f "$file" ]; then set -- "$@" -r "$file"; fi; done; \
    if [ -d wheels ]; then set -- "$@" --find-links wheels; fi; \
    python3 -m pip install --prefer-binary --no-compile --no-cache-dir --progress-bar off \
        --target /out/opt/python "$@"; \
    python3 -m compileall -q --invalidation-mode unchecked-hash -s /out -p / /out >/dev/null || true; \
    python3 /freeze.py


# Weights, which change less often than code. The pattern may match nothing, where a plain name would end the build.
FROM build AS large
COPY Dockerfile larg[e] /out${LAMBDA_TASK_ROOT}/
RUN rm "/out${LAMBDA_TASK_ROOT}/Dockerfile" && python3 /freeze.py


FROM build AS project
COPY project/ /out${LAMBDA_TASK_ROOT}/
COPY lambdacap/ /out${LAMBDA_TASK_ROOT}/
RUN python3 -m compileall -q --invalidation-mode unchecked-hash -s /out -p / /out || true; python3 /freeze.py


# From what changes least to what changes most: a new predictor.py is a layer of kilobytes.
FROM ${BASE_IMAGE}
COPY --from=requirements /out/ /
COPY --from=large /out/ /
COPY --from=project /out/ /
# On Lambda only /tmp can be written.
ENV HOME=/tmp XDG_CACHE_HOME=/tmp/.cache PREDICTOR=predictor
CMD ["handler.handler"]
