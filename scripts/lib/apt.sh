# shellcheck shell=bash
# Installing Debian packages, for scripts that say which commands they need. Sourced, never run.

# Runs a command as root: directly, or by sudo when that asks for no password.
as_root() {
    if ((EUID == 0)); then
        "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        return 1
    fi
}

# Can packages be installed here at all?
apt_usable() {
    command -v apt-get >/dev/null && as_root true
}

# apt_install PACKAGE...: installs them, without starting the services they bring.
#
# Debian's packages start their daemons on installation; a policy-rc.d that answers 101 forbids it. One that
# is already there is somebody's decision and stays.
apt_install() {
    local policy=/usr/sbin/policy-rc.d ours=no status=0
    if [[ ! -e $policy ]]; then
        as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy" && ours=yes
    fi
    as_root env DEBIAN_FRONTEND=noninteractive sh -c '
        apt-get -o DPkg::Lock::Timeout=300 -qq update &&
        apt-get -o DPkg::Lock::Timeout=300 -qq install -y --no-install-recommends "$@"
    ' apt_install "$@" </dev/null >&2 || status=$?
    if [[ $ours == yes ]]; then
        as_root rm -f "$policy"
    fi
    return "$status"
}

# ensure_command COMMAND PACKAGE: installs PACKAGE when COMMAND is not there. Fails with a message.
ensure_command() {
    local command=$1 package=$2
    if command -v "$command" >/dev/null; then
        return 0
    fi
    if ! apt_usable; then
        echo "$command is missing and packages cannot be installed here; install $package" >&2
        return 1
    fi
    echo "installing $package (for $command)" >&2
    if ! apt_install "$package" || ! command -v "$command" >/dev/null; then
        echo "$package could not be installed" >&2
        return 1
    fi
}
