/*
 * fuzz_exchange.c - a client's connection, played from a script
 *
 * The script is pieces that end with a byte 0xff. The first character of a piece says what happens: c the client sends the
 * rest of it (C: with a good token for every $), u the upstream does, t nothing but time passes, o the dial in progress
 * connects, x it fails, e r n the client ends, resets, closes, E R the upstream ends, resets, k the worker closes its
 * connections, a its exchanges, s the session of the good token is revoked, 0 to 3 one of the configurations below comes into
 * force. Connections carry no TLS here, dials go nowhere.
 *
 * Properties: whatever the order, nothing is used after it is gone and nothing is left, what the client gets begins
 * like an answer, and no token gets into the log.
 */

#include <assert.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "identity/login_guard.h"
#include "io/dial.h"
#include "io/loop.h"
#include "io/mailbox.h"
#include "jose/jws.h"
#include "proxy/change_feed.h"
#include "proxy/connection.h"
#include "proxy/control.h"
#include "proxy/device_guard.h"
#include "proxy/end_reasons.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"
#include "session/session_token.h"
#include "session/store.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/stream_mem.h"
#include "tls/tls_stream.h"

#define PIECES_MAX 200
#define TEXT_MAX   (1u << 20)
#define TURNS      8

struct dial {
	struct play *play;
	void (*on_done)(void *arg, struct stream *stream, const struct addr *peer,
			const struct err *e);
	void *arg;
};

struct play {
	struct control control;
	struct worker worker;
	struct dial *dial;
	struct stream *client;
	struct stream *upstream;
	bool client_is_shut;
	bool upstream_is_shut;
	struct buf token;
	char session_id[UUID_TEXT_LEN + 1];
	struct buf received;
	int log_fd;
};

/* Without TLS: whatever is played would never be a handshake. */
#define USERS                                                                                      \
	"insecure_server: true\n"                                                                  \
	"shared_secret: AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"                            \
	"idp_provider: local\n"                                                                    \
	"local_users:\n"                                                                           \
	"- {email: alice@example.com, id: user-1, groups: [eng],\n"                                \
	"   password_hash: $2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e}\n"
#define REDIS                                                                                      \
	"- from: tcp+https://redis.example.com:6379\n"                                             \
	"  to: tcp://10.0.0.5:6379\n"
#define OTHERS                                                                                     \
	"- from: tcp+https://open.example.com\n"                                                   \
	"  to: tcp://10.0.0.6:1\n"                                                                 \
	"  allow_public_unauthenticated_access: true\n"                                            \
	"- from: tcp+https://closed.example.com\n"                                                 \
	"  to: tcp://10.0.0.7:1\n"                                                                 \
	"  allowed_groups: [ops]\n"

/* The first one is in force in the beginning. */
static const char *const configurations[] = {
	USERS "routes:\n" REDIS "  allowed_users: [alice@example.com]\n" OTHERS,
	USERS "routes:\n" REDIS "  allowed_users: [bob@example.com]\n" OTHERS,
	USERS "routes:\n" OTHERS,
	USERS "routes:\n" REDIS "  allowed_groups: [ops]\n  tunnel_reauthorization: off\n" OTHERS,
};

/* ---- in the place of others ---- */

struct dial *dial_start(struct loop *loop, struct resolver *resolver,
			const struct dial_target *target,
			void (*on_done)(void *arg, struct stream *stream, const struct addr *peer,
					const struct err *e),
			void *arg)
{
	struct play *p = (struct play *)resolver;
	struct dial *d = mem_alloc(sizeof(*d));

	assert(!p->dial);
	*d = (struct dial){ .play = p, .on_done = on_done, .arg = arg };
	p->dial = d;
	return d;
}

void dial_cancel(struct dial *d)
{
	if (!d)
		return;
	d->play->dial = NULL;
	mem_free(d);
}

/* ---- the stage ---- */

static void put_session(struct play *p, struct session *session)
{
	struct store_call call = {
		.verb = STORE_PUT,
		.kind = RECORD_SESSION,
		.item = { .session = session_ref(session) },
	};

	store_run(p->worker.shared.store, &call);
	assert(call.result == STORE_DONE);
	store_call_done(&call);
}

static void make_token(struct play *p)
{
	struct local_users *users = p->worker.snapshot->users;
	const struct local_user *user = local_users_find(users, STR("alice@example.com"));
	struct session_facts facts = { .idp_id = str_from(p->worker.snapshot->idps.global->id),
				       .who = local_user_identity(user) };
	struct session_token token = { .issuer = STR("x") };
	struct session *session;

	local_user_credential_tag(user, facts.credential_tag);
	session = session_new(&facts);
	token.session_id = str_from(session->id);
	token.user_id = STR("user-1");
	put_session(p, session);
	memcpy(p->session_id, session->id, sizeof(p->session_id));
	assert(session_token_issue(p->worker.snapshot->shared_key, &token, &p->token, NULL) == 0);
	session_unref(session);
	identity_unref(facts.who);
}

static void ignore_event(void *arg, unsigned events)
{
}

static struct snapshot *make_snapshot(const char *text)
{
	struct report report = { 0 };
	struct config *config = NULL;
	struct snapshot *snapshot;

	assert(config_parse(str_from(text), "fuzz.yaml", &config, &report, NULL) == 0);
	snapshot = snapshot_new(config, NULL, &report);
	assert(snapshot);
	report_done(&report);
	return snapshot;
}

static void tell(void *arg, const char *id)
{
	change_feed_tell(arg, id);
}

static void play_init(struct play *p)
{
	struct worker *w = &p->worker;
	struct stream *near;
	struct addr peer;

	*p = (struct play){ .token = BUF_INIT(JWS_MAX), .received = BUF_INIT(TEXT_MAX) };
	w->snapshot = make_snapshot(configurations[0]);
	p->control.changes = change_feed_new();
	p->control.end_reasons = end_reasons_new();
	p->log_fd = memfd_create("log", MFD_CLOEXEC);
	w->shared.log = log_new(p->log_fd, LOG_JSON, LOG_DIRECT, LOG_DEBUG);
	assert(store_open(&(struct store_options){ .type = STORE_MEMORY,
						   .shared_key = w->snapshot->shared_key,
						   .on_change = tell,
						   .arg = p->control.changes },
			  &p->control.store, NULL) == 0);
	w->shared.store = p->control.store;
	w->shared.control = &p->control;
	w->shared.guard = login_guard_new();
	w->shared.device_guard = device_guard_new();
	w->loop = loop_new();
	w->mailbox = mailbox_open(w->loop);
	w->resolver = (struct resolver *)p; /* how dial_start() below finds us */
	p->control.mailbox = w->mailbox;
	w->recheck = recheck_new(w);
	list_init(&w->connections);
	list_init(&w->handshakes.waiting);
	list_init(&w->exchanges);
	make_token(p);
	stream_mem_pair(w->loop, &(struct stream_mem_options){ .capacity = 4096 }, &p->client,
			&near);
	stream_set_owner(p->client, ignore_event, NULL);
	assert(addr_from_ip(STR("203.0.113.7"), 1, &peer));
	connection_open(w, near, &peer);
}

static void turn(struct play *p)
{
	char piece[4096];
	ssize_t count;

	for (int i = 0; i < TURNS; i++) {
		loop_turn(p->worker.loop, false);
		if (p->client && (count = stream_read(p->client, piece, sizeof(piece))) > 0)
			(void)buf_append(&p->received, piece, (size_t)count);
		if (p->upstream)
			(void)stream_read(p->upstream, piece, sizeof(piece));
	}
}

static void close_connections(struct play *p)
{
	LIST_FOREACH (&p->worker.connections, node) {
		connection_close(container_of(node, struct connection, in_worker), "shutdown");
	}
}

static void abort_tunnels(struct play *p)
{
	LIST_FOREACH (&p->worker.exchanges, node) {
		struct exchange *x = container_of(node, struct exchange, in_worker);

		/* As a worker does: those of a connection end with it. */
		if (!x->connection)
			exchange_abort(x, "shutdown");
	}
}

static void check_log(struct play *p)
{
	off_t len = lseek(p->log_fd, 0, SEEK_END);
	void *text;

	if (len <= 0)
		return;
	text = mmap(NULL, (size_t)len, PROT_READ, MAP_SHARED, p->log_fd, 0);
	assert(text != MAP_FAILED);
	assert(!memmem(text, (size_t)len, p->token.data, p->token.len));
	(void)munmap(text, (size_t)len); /* it is a mapping of ours */
}

static void play_done(struct play *p)
{
	struct worker *w = &p->worker;

	close_connections(p);
	abort_tunnels(p);
	while (w->password_jobs > 0 || w->asks > 0)
		loop_turn(w->loop, true);
	stream_close(TAKE(p->client), STREAM_CLOSE_NORMAL);
	stream_close(TAKE(p->upstream), STREAM_CLOSE_NORMAL);
	turn(p);
	assert(list_is_empty(&w->connections) && list_is_empty(&w->exchanges) && !p->dial);
	assert(p->received.len == 0 || str_starts_with(buf_view(&p->received), STR("HTTP/1.1 ")));
	check_log(p);
	store_free(w->shared.store);
	recheck_stop(w->recheck);
	mailbox_close(w->mailbox);
	recheck_free(w->recheck);
	change_feed_free(p->control.changes);
	end_reasons_free(p->control.end_reasons);
	loop_turn(w->loop, false);
	loop_free(w->loop);
	snapshot_unref(w->snapshot);
	login_guard_free(w->shared.guard);
	device_guard_free(w->shared.device_guard);
	log_free(w->shared.log);
	(void)close(p->log_fd);
	buf_done(&p->token);
	buf_done(&p->received);
}

/* ---- the acts ---- */

static void send_all(struct play *p, struct stream *s, struct str text)
{
	for (int i = 0; i < TURNS && text.len > 0; i++) {
		ssize_t count = stream_write(s, text.at, text.len);

		if (count == STREAM_FAILED)
			return;
		if (count > 0)
			text = str_from_pos(text, (size_t)count);
		loop_turn(p->worker.loop, false);
	}
}

static void client_sends(struct play *p, struct str text, bool fills_in)
{
	struct buf filled = BUF_INIT(TEXT_MAX);

	for (size_t i = 0; i < text.len && fills_in; i++) {
		bool is_token = text.at[i] == '$';

		(void)buf_append_str(&filled,
				     is_token ? buf_view(&p->token) : str_of(text.at + i, 1));
	}
	if (p->client && !p->client_is_shut)
		send_all(p, p->client, fills_in ? buf_view(&filled) : text);
	buf_done(&filled);
}

static void dial_connects(struct play *p)
{
	struct dial *d = p->dial;
	struct stream *near;
	struct addr peer;

	if (!d || p->upstream)
		return;
	p->dial = NULL;
	assert(addr_from_ip(STR("10.0.0.5"), 6379, &peer));
	stream_mem_pair(p->worker.loop, &(struct stream_mem_options){ .capacity = 4096 },
			&p->upstream, &near);
	stream_set_owner(p->upstream, ignore_event, NULL);
	d->on_done(d->arg, near, &peer, NULL);
	mem_free(d);
}

static void dial_fails(struct play *p, struct str how)
{
	static const enum err_kind kinds[] = { ERR_DNS,     ERR_REFUSED, ERR_RESET, ERR_UNREACHABLE,
					       ERR_TIMEOUT, ERR_LIMIT,   ERR_SYSTEM };
	struct dial *d = p->dial;
	struct err e = { 0 };

	if (!d)
		return;
	p->dial = NULL;
	(void)err_set(&e, kinds[(how.len ? (unsigned char)how.at[0] : 0) % ARRAY_LEN(kinds)],
		      "it did not work");
	d->on_done(d->arg, NULL, NULL, &e);
	mem_free(d);
}

static void revoke_session(struct play *p)
{
	struct store_call call = { .verb = STORE_REMOVE, .kind = RECORD_SESSION };

	memcpy(call.key, p->session_id, sizeof(p->session_id));
	store_run(p->worker.shared.store, &call);
	store_call_done(&call);
}

static void reload(struct play *p, size_t number)
{
	snapshot_unref(p->worker.snapshot);
	p->worker.snapshot = make_snapshot(configurations[number]);
	recheck_all(&p->worker);
}

static void shut(struct stream *s, bool *is_shut)
{
	if (s && !*is_shut)
		(void)stream_shutdown(s);
	*is_shut = true;
}

static void act(struct play *p, char what, struct str text)
{
	switch (what) {
	case 'c':
	case 'C':
		client_sends(p, text, what == 'C');
		return;
	case 'u':
		if (p->upstream && !p->upstream_is_shut)
			send_all(p, p->upstream, text);
		return;
	case 'o':
		dial_connects(p);
		return;
	case 'x':
		dial_fails(p, text);
		return;
	case 'e':
		shut(p->client, &p->client_is_shut);
		return;
	case 'E':
		shut(p->upstream, &p->upstream_is_shut);
		return;
	case 'r':
	case 'n':
		stream_close(TAKE(p->client),
			     what == 'r' ? STREAM_CLOSE_RESET : STREAM_CLOSE_NORMAL);
		return;
	case 'R':
		stream_close(TAKE(p->upstream), STREAM_CLOSE_RESET);
		return;
	case 'k':
		close_connections(p);
		return;
	case 'a':
		abort_tunnels(p);
		return;
	case 's':
		revoke_session(p);
		return;
	case '0':
	case '1':
	case '2':
	case '3':
		reload(p, (size_t)(what - '0'));
		return;
	case 't':
		turn(p);
		return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str script = str_of(data, size);
	struct str piece;
	struct play p;

	play_init(&p);
	for (int i = 0; i < PIECES_MAX && str_cut(&script, (char)0xff, &piece); i++)
		if (piece.len > 0)
			act(&p, piece.at[0], str_from_pos(piece, 1));
	play_done(&p);
	return 0;
}
