# Debian's packages, with patience. A script sources this after setting $me, its own name.

say() { echo "$me: $*" >&2; }
die() {
	say "$*"
	exit 1
}

# What apt-get itself says is shown only where it fails for good.
apt_log=$(mktemp)
apt_tries=${APT_TRIES:-3}

# apt_get WORD...: apt-get, quietly and without questions, until it succeeds, a few times; it fails where it never does.
apt_get() {
	try=1
	until DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 -o APT::Sandbox::User=root "$@" >"$apt_log" 2>&1; do
		[ "$try" -lt "$apt_tries" ] || return 1
		say "apt-get $* failed, try $try of $apt_tries: $(grep -m 1 '^[EW]:' "$apt_log" || tail -n 1 "$apt_log")"
		sleep "${APT_PAUSE:-$((try * 5))}"
		try=$((try + 1))
	done
}

# apt_failed WORD...: ends the script with what apt-get said last.
apt_failed() {
	sed 's/^/    /' "$apt_log" >&2
	die "$*"
}

# known NAME...: whether apt has a version of each package to offer.
known() {
	for name in "$@"; do
		[ -n "$(apt-cache show --no-all-versions "$name" 2>/dev/null | head -n 1)" ] || return 1
	done
}

# online WHAT: whether the network may be asked; if not, that ends the script.
online() {
	[ "${ALPINEVM_OFFLINE:-}" != 1 ] || die "no $*, and ALPINEVM_OFFLINE=1 forbids to fetch what is missing"
}

# update NAME...: makes apt know packages. A source that cannot be had does not matter as long as the others have them.
update() {
	say "apt-get update"
	apt_get update && known "$@" && return
	known "$@" && {
		say "apt-get update failed, but what is needed is known"
		return
	}
	apt_failed "apt does not offer all of: $*. Run as root: apt-get update; where that succeeds, look for the packages in /etc/apt/sources.list*"
}
