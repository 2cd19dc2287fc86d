# Uses apk in every way that people do. $1 is the URL of the repositories. It says what is not as it should be, and ends with 1 then.
failed=0
wrong() { echo "$*"; failed=1; }
# same WHAT WANT GOT
same() { [ "$2" = "$3" ] || wrong "$1: got '$3', want '$2'"; }
# run COMMAND... must succeed.
run() {
	echo "+ $*"
	"$@" || wrong "$*: exit code $?"
}
ran() { # ran NAME: what its scripts have logged since the last call
	cat /var/log/scripts 2>/dev/null | tr '\n' ' '
	rm -f /var/log/scripts
}
url=$1

same "audit at the start" "" "$(apk audit --system)"
echo "$url/v1" >/etc/apk/repositories
run apk update

# Dependencies, scripts, triggers.
run apk add trigger hello
same "scripts of add" "hello pre-install 1.0-r0; hello post-install 1.0-r0; trigger /usr/share/hello; " "$(ran)"
same "the installed version" "hello-1.0-r0" "$(apk info -e -v hello)"
same "the dependency" "hello-lib-1.0-r0" "$(apk info -e -v hello-lib)"

# Every kind of file.
same "setuid" "4755 root:root" "$(stat -c '%a %U:%G' /usr/bin/hello-setuid)"
same "setgid" "2755 root:mail" "$(stat -c '%a %U:%G' /usr/bin/hello-setgid)"
same "sticky folder" "1777" "$(stat -c %a /var/spool/hello)"
same "owned folder" "750 nobody:nobody" "$(stat -c '%a %U:%G' /var/lib/hello)"
same "hard links" "3" "$(stat -c %h /usr/share/hello/hard1)"
same "hard links are one file" "$(stat -c %i /usr/share/hello/hard1)" "$(stat -c %i /usr/share/hello/hard3)"
same "relative link" "hard1" "$(readlink /usr/share/hello/relative)"
same "absolute link" "/usr/share/hello/hard1" "$(readlink /usr/share/hello/absolute)"
same "dangling link" "nowhere" "$(readlink /usr/share/hello/dangling)"
same "through a link" "$(md5sum </usr/share/hello/hard2)" "$(md5sum </usr/share/hello/absolute)"
same "device" "1:3 666" "$(stat -c '%t:%T %a' /usr/share/hello/null)"
same "date" "2024-05-22 00:00:00" "$(stat -c %y /usr/share/hello/hard1 | cut -c1-19)"
same "long name" "1" "$(find /usr/share/hello/long -type f | wc -l)"

# Upgrade over a running program, whose pages are read after it is gone, and of the libc that everything runs on.
mkfifo /tmp/go
/usr/bin/hello </tmp/go >/tmp/said &
pid=$!
exec 3>/tmp/go
echo changed >>/etc/hello.conf
echo "$url/v2" >/etc/apk/repositories
run apk update
run apk upgrade
same "scripts of upgrade" "hello pre-upgrade 2.0-r0 1.0-r0; hello post-upgrade 2.0-r0 1.0-r0; trigger /usr/share/hello; " "$(ran)"
same "the upgraded version" "hello-2.0-r0" "$(apk info -e -v hello)"
same "the upgraded libc" "musl-1.2.5-r100" "$(apk info -e -v musl)"
sync
echo 3 >/proc/sys/vm/drop_caches
echo >&3
exec 3>&-
wait $pid
same "exit code of the program that ran through the upgrade" 1 $?
same "its output" "version 1" "$(cat /tmp/said)"
same "the new program" "version 2" "$(/usr/bin/hello </dev/null)"
same "a changed configuration file" "version 1 changed " "$(tr '\n' ' ' </etc/hello.conf)"
same "the new one beside it" "version 2" "$(cat /etc/hello.conf.apk-new)"
same "an unchanged configuration file" "version 2" "$(cat /etc/hello.d/untouched.conf)"
[ ! -e /usr/share/hello/old ] || wrong "a file of the old version is still there"
rm /etc/hello.conf.apk-new

# What was changed behind apk's back.
rm /usr/share/hello/hard1
echo x >>/usr/share/hello/hard2
chmod 755 /usr/bin/hello-setuid
same "audit of changes" "M usr/bin/hello-setuid X usr/share/hello/hard1 U usr/share/hello/hard2 U usr/share/hello/hard3 " \
	"$(apk audit --system --check-permissions | grep hello | grep -v '^A' | sort -k2 | tr '\n' ' ')"
run apk fix hello
same "setuid after fix" 4755 "$(stat -c %a /usr/bin/hello-setuid)"
same "hard links after fix" "3 3" "$(stat -c %h /usr/share/hello/hard1) $(stat -c %h /usr/share/hello/hard2)"
ran >/dev/null

# A cache, and from it without the network.
mkdir -p /var/cache/apk
ln -s /var/cache/apk /etc/apk/cache
run apk update
run apk cache download
run apk cache -v sync
run apk del hello
same "scripts of del" "hello pre-deinstall 2.0-r0; hello post-deinstall 2.0-r0; trigger /usr/share/hello; " "$(ran)"
[ ! -e /usr/bin/hello ] || wrong "a file is still there after del"
[ -e /etc/hello.conf ] || wrong "a changed configuration file is gone after del"
run apk add --no-network hello
same "the version from the cache" "version 2" "$(/usr/bin/hello </dev/null)"
run apk cache clean

# All is as the packages say, but for what is mounted, and nothing is left of them.
same "audit of what is installed" "m dev/shm/ m proc/ m sys/ " "$(apk audit --system --check-permissions | sort -k2 | tr '\n' ' ')"
run apk del hello trigger
rm -r /etc/apk/cache /var/cache/apk/* /etc/hello.conf /etc/hello.conf.apk-new
same "audit of what was installed" "" "$(apk audit --system)"
same "the end of the packages" "" "$(find / -xdev -name '*hello*' -o -name '*.apk.*' | tr '\n' ' ')"

# What must be refused.
refused() { # refused REPOSITORY MESSAGE
	echo "$url/$1" >/etc/apk/repositories
	if apk --no-cache add hello >/tmp/said 2>&1; then wrong "hello of $1 was installed"; fi
	grep -q "$2" /tmp/said || wrong "$1: apk says $(cat /tmp/said)"
	[ ! -e /usr/bin/hello ] || wrong "hello of $1 is there"
	apk --no-cache --no-network del hello >/dev/null
}
refused badkey "BAD signature"
refused badhash "BAD signature"
refused truncated "Connection aborted"
exit $failed
