# Uses apk with an https server. $1 is the URL of the repositories, AUTHORITY the certificate of the server's authority.
exec 2>&1
echo "$1/v1" >/etc/apk/repositories
if apk --no-cache add hello; then
	echo "apk trusts an authority that it does not know"
	exit 1
fi
echo "$AUTHORITY" >>/etc/ssl/certs/ca-certificates.crt
apk --no-cache add hello && [ "$(hello </dev/null)" = "version 1" ]
