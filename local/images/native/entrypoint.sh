#!/bin/sh
# The entry point of the image: a command of millstream, which takes the place of this shell and so gets the signals, or the health check.
set -eu
if [ "${1:-}" = health ]; then
  exec node --input-type=module -e '
    const port = process.env.MILLSTREAM_PROCESS__HEALTH__PORT;
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(4000) });
    process.exit(answer.ok ? 0 : 1);
  '
fi
exec node /opt/millstream/node_modules/@millstream/cli/bin/millstream.js "$@"
