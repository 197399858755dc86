#!/usr/bin/env bash
# tools/demo.sh BUILD-DIRECTORY: Redis behind the gateway, used through the client after a real login. Stays up until
# Ctrl-C; with ONCE=1 it ends after the check, with status 0 if it went well.
set -euo pipefail
cd "$(dirname "$0")/.."

pomerium=$1/src/proxy/pomerium
client=$1/src/cli/pomerium-cli
domain=demo.localhost
name=redis.$domain
export DEMO_EMAIL=demo@example.com DEMO_PASSWORD=demo-password

dir=$(mktemp -d /tmp/pomerium-demo.XXXXXX)
export DEMO_CA=$dir/conf/ca.pem XDG_CACHE_HOME=$dir/cache STATE_DIRECTORY=$dir/state
pids=()

stop() {
	local pid
	trap - EXIT INT TERM
	for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
		pid=${pids[i]}
		kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true
	done
	rm -rf "$dir"
}
trap stop EXIT
trap 'echo; exit 0' INT TERM

fail() {
	printf 'demo: %s\n' "$1" >&2
	tail -n 5 "$dir"/*.log >&2 || true
	exit 1
}

say() { printf '\n%s\n' "$*"; }

# The command as a person would type it, then its output.
show() {
	local word line=
	for word in "$@"; do
		case $word in *' '*) word="'$word'" ;; esac
		line+=" $word"
	done
	printf '  $%s\n' "$line"
	"$@" 2>&1 | sed 's/^/    /'
	return "${PIPESTATUS[0]}"
}

is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() {
	local port
	for port in "$@" $(shuf -i 20000-29999 -n 50); do
		is_free "$port" && { echo "$port"; return; }
	done
}

# start NAME COMMAND...: in the background, with its output in NAME.log.
start() {
	local log=$dir/$1.log
	shift
	"$@" >"$log" 2>&1 </dev/null &
	pids+=($!)
}

# wait_for NAME PATTERN: until the program has said it; prints the first match.
wait_for() {
	local tries match
	for ((tries = 0; tries < 100; tries++)); do
		match=$(grep -oE -m1 "$2" "$dir/$1.log" 2>/dev/null) && { echo "$match"; return; }
		kill -0 "${pids[-1]}" 2>/dev/null || break
		sleep 0.1
	done
	return 1
}

redis_port=$(free_port 6379)
start redis redis-server --port "$redis_port" --bind 127.0.0.1 --save '' --appendonly no --dir "$dir"
wait_for redis 'Ready to accept connections' >/dev/null || fail 'redis-server did not start'
say "A Redis server runs on 127.0.0.1:$redis_port. It shall be reached only by who has logged in."

say 'Make a configuration with an own CA and one user, and start the gateway:'
printf '  $ pomerium init conf --domain %s --user %s\n' "$domain" "$DEMO_EMAIL"
address=127.0.0.1:$(free_port 8443)
printf '%s\n' "$DEMO_PASSWORD" |
	"$pomerium" init "$dir/conf" --domain "$domain" --user "$DEMO_EMAIL" --password-stdin \
		--address "$address" >"$dir/init.log" 2>&1 || fail 'pomerium init failed'
sed -i "s|to: tcp://127.0.0.1:6379|to: tcp://127.0.0.1:$redis_port|" "$dir/conf/config.yaml"
sed -n '/^routes:/,/allowed_users/p' "$dir/conf/config.yaml" | sed 's/^/    /'
printf '  $ pomerium --config conf/config.yaml\n'
start gateway "$pomerium" --config "$dir/conf/config.yaml"
wait_for gateway '"message":"listening"' >/dev/null || fail 'the gateway did not start'
printf '    listening on %s\n' "$address"
gateway_url=https://$name:${address##*:}

say 'Open a tunnel. The first connection asks for a login; here a script fills in the form as a person would:'
options=(--pomerium-url "$gateway_url" --alternate-ca-path "$dir/conf/ca.pem")
printf '  $ pomerium-cli tcp %s:6379\n' "$name"
start client "$client" tcp "$name:6379" "${options[@]}" --browser-cmd tools/demo-browser.py
listening=$(wait_for client '"addr":"[^"]*"') || fail 'the client did not start'
port=$(tr -dc '0-9' <<<"${listening##*:}")
printf '    listening on 127.0.0.1:%s\n' "$port"

show redis-cli -p "$port" set greeting 'hello from behind the gateway' || fail 'SET did not go through the tunnel'
grep -q '"message":"auth required"' "$dir/client.log" || fail 'no login was asked for'
printf '    (on the way: the login page of %s, filled in as %s)\n' "$gateway_url" "$DEMO_EMAIL"
show redis-cli -p "$port" get greeting || fail 'GET did not go through the tunnel'
[ "$(redis-cli -p "$redis_port" get greeting)" = 'hello from behind the gateway' ] || fail 'the value is not in Redis'

say 'What the gateway wrote about it:'
grep '"message":"authorize check"' "$dir/gateway.log" | grep -m1 '"allow":true.*email-ok\|email-ok.*"allow":true' |
	sed -E 's/.*"host":"([^"]*)".*"email":"([^"]*)".*"allow":true,"allow-why-true":(\[[^]]*\]).*/    \2 used \1: allowed, because \3/' ||
	fail 'the gateway did not log the decision'

if [ -n "${ONCE:-}" ]; then
	say 'demo: everything worked'
	exit 0
fi

common="--pomerium-url $gateway_url --alternate-ca-path $dir/conf/ca.pem"
cat <<TEXT

Try it yourself, from another terminal. Log in as $DEMO_EMAIL with the password $DEMO_PASSWORD
(your browser does not know the demonstration's CA and will warn):

  $client tcp --listen 127.0.0.1:16379 \\
      $common \\
      $name:6379
  redis-cli -p 16379 get greeting

  ssh -o ProxyCommand='$client tcp --listen - --pomerium-url https://ssh.$domain:${address##*:} --alternate-ca-path $dir/conf/ca.pem %h:%p' ssh.$domain

Who am I, sign out:  $gateway_url/.pomerium/
Log of the gateway:  $dir/gateway.log

Press Ctrl-C to end.
TEXT
wait -n "${pids[@]}" || true
fail 'a program ended unexpectedly'
