#!/usr/bin/env bash
# Every test, with what they need beside Rust installed first where that is possible.
#
#   scripts/test.sh [CARGO_TEST_ARGUMENTS...]
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/apt.sh
source "$ROOT/scripts/lib/apt.sh"

# glommio compiles a C library and asks for git while doing so.
ensure_command cc build-essential
ensure_command git git
# The viewer is tested in a browser. Another Chromium in the path does as well; without any, that test says so.
ensure_command chromium chromium || true
ensure_command chromedriver chromium-driver || true

cd "$ROOT"
exec cargo test --locked "$@"
