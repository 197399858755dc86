#include "tests/support/exchange_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/codec.h"
#include "base/mem.h"
#include "http/h1_parse.h"
#include "identity/login_guard.h"
#include "io/loop.h"
#include "io/mailbox.h"
#include "jose/jws.h"
#include "proxy/bearer_cache.h"
#include "proxy/change_feed.h"
#include "proxy/device_guard.h"
#include "proxy/end_reasons.h"
#include "proxy/recheck.h"
#include "session/session_token.h"
#include "session/store.h"
#include "tests/support/clock_fake.h"
#include "tls/certificate.h"

#define SETTLE_TURNS 100
#define CONFIG_MAX   (1u << 20)

#define SHARED_SECRET "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define COOKIE_SECRET "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="

/* ---- from text to snapshot ---- */

static void add_certificate(struct buf *text)
{
	const struct str names[] = { STR("redis.example.com") };
	struct buf certificate = BUF_INIT(CONFIG_MAX);
	struct buf key = BUF_INIT(CONFIG_MAX);

	assert_int_equal(certificate_make_self_signed(names, 1, &certificate, &key, NULL), 0);
	(void)buf_append_str(text, STR("certificate: "));
	(void)base64_encode(text, BASE64_STANDARD, certificate.data, certificate.len);
	(void)buf_append_str(text, STR("\ncertificate_key: "));
	(void)base64_encode(text, BASE64_STANDARD, key.data, key.len);
	(void)buf_append_char(text, '\n');
	buf_done(&certificate);
	buf_done_secret(&key);
}

static struct snapshot *make_snapshot(const char *settings, const struct snapshot *previous)
{
	struct buf text = BUF_INIT(CONFIG_MAX);
	struct report report = { 0 };
	struct snapshot *snapshot = NULL;
	struct config *config = NULL;
	struct err e = { 0 };

	(void)buf_append_str(&text, STR("shared_secret: " SHARED_SECRET "\n"
					"cookie_secret: " COOKIE_SECRET "\n"));
	add_certificate(&text);
	(void)buf_append_str(&text, str_from(settings));
	if (config_parse(buf_view(&text), "c.yaml", &config, &report, &e) < 0)
		fail_msg("%s", e.text);
	if (report.count > 0)
		fail_msg("%s", report.problems[0].text);
	snapshot = snapshot_new(config, previous, &report);
	if (!snapshot)
		fail_msg("%s", report.problems[0].text);
	report_done(&report);
	buf_done_secret(&text);
	return snapshot;
}

/* ---- birth and death ---- */

/* As control.c does it. */
static void on_store_change(void *arg, const char *id)
{
	change_feed_tell(arg, id);
}

static struct store *open_store(const struct exchange_fixture *f, size_t records_max)
{
	struct store *store = NULL;
	struct err e = { 0 };

	if (store_open(&(struct store_options){ .type = STORE_MEMORY,
						.shared_key = f->worker.snapshot->shared_key,
						.records_max = records_max,
						.on_change = on_store_change,
						.arg = f->control.changes },
		       &store, &e) < 0)
		fail_msg("%s", e.text);
	return store;
}

void exchange_fixture_init(struct exchange_fixture *f, const char *settings)
{
	struct worker *w = &f->worker;

	*f = (struct exchange_fixture){
		.bytes = BUF_INIT(FIXTURE_LINES_MAX),
		.headers = BUF_INIT(FIXTURE_LINES_MAX),
		.body = BUF_INIT(FIXTURE_LINES_MAX),
		.dialed = BUF_INIT(FIXTURE_LINES_MAX),
		.scratch = BUF_INIT(FIXTURE_LINES_MAX),
	};
	clock_fake_set_unix(FIXTURE_NOW);
	assert_int_equal(setenv("TZ", "UTC0", 1), 0);
	tzset();
	f->log_fd = memfd_create("log", MFD_CLOEXEC);
	assert_true(f->log_fd >= 0);
	w->shared.log = log_new(f->log_fd, LOG_JSON, LOG_DIRECT, LOG_INFO);
	w->shared.guard = login_guard_new();
	w->shared.device_guard = device_guard_new();
	w->shared.control = &f->control;
	f->control.bearers = bearer_cache_new();
	w->loop = loop_new();
	w->mailbox = mailbox_open(w->loop);
	w->resolver = (struct resolver *)f; /* how exchange_dial_fake.c finds us */
	w->snapshot = make_snapshot(settings, NULL);
	f->control.mailbox = w->mailbox;
	f->control.changes = change_feed_new();
	f->control.store = open_store(f, 0);
	w->shared.store = f->control.store;
	list_init(&w->connections);
	list_init(&w->handshakes.waiting);
	list_init(&w->exchanges);
	f->control.end_reasons = end_reasons_new();
	w->recheck = recheck_new(w);
	f->connection.worker = w;
	assert_true(addr_from_ip(STR(FIXTURE_PEER), 40000, &f->connection.peer));
}

void exchange_fixture_done(struct exchange_fixture *f)
{
	struct worker *w = &f->worker;

	LIST_FOREACH (&w->exchanges, node) {
		exchange_abort(container_of(node, struct exchange, in_worker), "shutdown");
	}
	exchange_fixture_wait(f);
	assert_true(list_is_empty(&w->exchanges));
	assert_null(f->connection.exchange);
	assert_null(f->dial);
	stream_close(TAKE(f->client), STREAM_CLOSE_NORMAL);
	stream_close(TAKE(f->upstream), STREAM_CLOSE_NORMAL);
	exchange_fixture_settle(f);
	store_free(w->shared.store);
	recheck_stop(w->recheck);
	mailbox_close(w->mailbox);
	recheck_free(TAKE(w->recheck));
	change_feed_free(TAKE(f->control.changes));
	end_reasons_free(TAKE(f->control.end_reasons));
	loop_turn(w->loop, false);
	loop_free(w->loop);
	snapshot_unref(w->snapshot);
	login_guard_free(w->shared.guard);
	bearer_cache_free(TAKE(f->control.bearers));
	device_guard_free(w->shared.device_guard);
	log_free(w->shared.log);
	(void)close(f->log_fd);
	arena_done(&f->arena);
	buf_done(&f->bytes);
	buf_done(&f->headers);
	buf_done(&f->body);
	buf_done(&f->dialed);
	buf_done(&f->scratch);
}

int exchange_fixture_set_up(void **state)
{
	struct exchange_fixture *f = mem_alloc(sizeof(*f));

	exchange_fixture_init(f, FIXTURE_SETTINGS);
	*state = f;
	return 0;
}

int exchange_fixture_tear_down(void **state)
{
	exchange_fixture_done(*state);
	mem_free(*state);
	return 0;
}

void exchange_fixture_reload(struct exchange_fixture *f, const char *settings)
{
	struct snapshot *previous = f->worker.snapshot;

	f->worker.snapshot = make_snapshot(settings, previous);
	snapshot_unref(previous);
}

/* ---- requests ---- */

static void parse_request(struct exchange_fixture *f, struct str bytes)
{
	struct h1_scanner scanner = { 0 };
	struct err e = { 0 };
	struct str text;
	size_t head_len;

	arena_done(&f->arena);
	buf_truncate(&f->bytes, 0);
	(void)buf_append_str(&f->bytes, bytes);
	text = buf_view(&f->bytes);
	assert_int_equal(h1_scan(&scanner, text, &head_len, &e), H1_SCAN_COMPLETE);
	if (h1_parse_request(str_first(text, head_len), &f->arena, &f->request, &e) < 0)
		fail_msg("%s", e.text);
	f->request.body = str_from_pos(text, head_len);
	f->answer_count = 0;
	f->status = 0;
	buf_truncate(&f->headers, 0);
	buf_truncate(&f->body, 0);
}

void exchange_fixture_send(struct exchange_fixture *f, struct str bytes)
{
	assert_null(f->connection.exchange);
	parse_request(f, bytes);
	exchange_start(&f->connection, &f->request);
	if (!f->is_held)
		exchange_fixture_settle(f);
}

void exchange_fixture_sendf(struct exchange_fixture *f, const char *format, ...)
{
	char *text = NULL;
	va_list args;
	int len;

	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	assert_true(len > 0);
	exchange_fixture_send(f, str_of(text, (size_t)len));
	free(text);
}

void exchange_fixture_begin(struct exchange_fixture *f, struct exchange *x, const char *bytes)
{
	parse_request(f, str_from(bytes));
	*x = (struct exchange){
		.worker = &f->worker,
		.connection = &f->connection,
		.snapshot = snapshot_ref(f->worker.snapshot),
		.request = &f->request,
		.peer = f->connection.peer,
		.facts = { .method = f->request.method,
			   .authority = f->request.authority,
			   .path = f->request.path },
		.request_id = "0f2d6a1e-7b2c-4c52-9e0e-0d9a5d1f7c11",
	};
}

void exchange_fixture_end(struct exchange *x)
{
	session_unref(TAKE(x->session));
	snapshot_unref(TAKE(x->snapshot));
	arena_done(&x->arena);
}

void exchange_fixture_settle(struct exchange_fixture *f)
{
	for (int i = 0; i < SETTLE_TURNS; i++) {
		/* What another thread was asked comes back when it does. */
		while (f->worker.asks > 0)
			loop_turn(f->worker.loop, true);
		loop_turn(f->worker.loop, false);
	}
}

void exchange_fixture_wait(struct exchange_fixture *f)
{
	while (f->worker.password_jobs > 0)
		loop_turn(f->worker.loop, true);
	exchange_fixture_settle(f);
}

struct exchange *exchange_fixture_only(struct exchange_fixture *f)
{
	const struct list_node *head = &f->worker.exchanges.head;

	assert_ptr_not_equal(head->next, head);
	assert_ptr_equal(head->next->next, head);
	return container_of(head->next, struct exchange, in_worker);
}

/* ---- answers ---- */

void exchange_fixture_keep(struct exchange_fixture *f, const struct http_response *response)
{
	f->answer_count++;
	assert_int_equal(f->answer_count, 1);
	f->status = response->status;
	for (size_t i = 0; i < response->header_count; i++)
		(void)buf_printf(&f->headers, "%.*s: %.*s\n", STR_FMT(response->headers[i].name),
				 STR_FMT(response->headers[i].value));
	(void)buf_append_str(&f->body, response->body);
	assert_false(f->headers.is_overflown || f->body.is_overflown);
	/* The parsed request ends here: whoever looks at it later shall be caught. */
	memset(f->bytes.data, 0xee, f->bytes.len);
	f->request = (struct http_request){ 0 };
}

struct str exchange_fixture_header(const struct exchange_fixture *f, const char *name)
{
	struct str rest = buf_view(&f->headers);
	struct str line;

	while (str_cut(&rest, '\n', &line)) {
		size_t colon = str_find(line, ':');

		if (str_equal_nocase(str_first(line, colon), str_from(name)))
			return str_from_pos(line, colon + 2);
	}
	return STR("");
}

static bool is_uuid(struct str text)
{
	if (text.len < UUID_TEXT_LEN)
		return false;
	for (size_t i = 0; i < UUID_TEXT_LEN; i++) {
		bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (is_dash ? text.at[i] != '-' : !strchr("0123456789abcdef", text.at[i]))
			return false;
	}
	return true;
}

void exchange_fixture_mask(struct str text, struct buf *out)
{
	while (text.len > 0) {
		bool is_masked = is_uuid(text);

		(void)buf_append_str(out, is_masked ? STR(FIXTURE_UUID_TEXT) : str_first(text, 1));
		text = str_from_pos(text, is_masked ? UUID_TEXT_LEN : 1);
	}
}

static const char *masked(struct exchange_fixture *f, struct str text)
{
	buf_truncate(&f->scratch, 0);
	exchange_fixture_mask(text, &f->scratch);
	(void)buf_append_char(&f->scratch, '\0');
	assert_false(f->scratch.is_overflown);
	return (const char *)f->scratch.data;
}

void exchange_fixture_expect(struct exchange_fixture *f, int status, const char *headers)
{
	exchange_fixture_settle(f);
	assert_int_equal(f->answer_count, 1);
	assert_string_equal(masked(f, buf_view(&f->headers)), headers);
	assert_int_equal(f->status, status);
}

void exchange_fixture_expect_body(struct exchange_fixture *f, const char *body)
{
	assert_string_equal(masked(f, buf_view(&f->body)), body);
}

bool exchange_fixture_body_has(const struct exchange_fixture *f, const char *text)
{
	return str_contains(buf_view(&f->body), str_from(text));
}

/* ---- the log ---- */

const char *exchange_fixture_log(struct exchange_fixture *f)
{
	struct buf text = BUF_INIT(FIXTURE_LINES_MAX);
	off_t len = lseek(f->log_fd, 0, SEEK_END);
	const char *result;

	assert_true(len >= 0 && len < FIXTURE_LINES_MAX);
	if (len > 0) {
		assert_int_equal(pread(f->log_fd, buf_reserve(&text, (size_t)len), (size_t)len, 0),
				 len);
		buf_commit(&text, (size_t)len);
	}
	assert_int_equal(ftruncate(f->log_fd, 0), 0);
	assert_int_equal(lseek(f->log_fd, 0, SEEK_SET), 0);
	result = masked(f, buf_view(&text));
	buf_done(&text);
	return result;
}

void exchange_fixture_expect_log(struct exchange_fixture *f, const char *lines)
{
	assert_string_equal(exchange_fixture_log(f), lines);
}

/* ---- logins ---- */

void exchange_fixture_set_idp_id(struct exchange_fixture *f, const char *id)
{
	struct idp_table *idps = &f->worker.snapshot->idps;

	(void)map_remove(&idps->by_id, str_from(idps->global->id)); /* it is the one below */
	(void)snprintf(idps->global->id, sizeof(idps->global->id), "%s", id); /* fits */
	(void)map_put(&idps->by_id, str_from(idps->global->id), idps->global);
}

void exchange_fixture_limit_store(struct exchange_fixture *f, size_t records_max)
{
	store_free(f->control.store);
	f->control.store = open_store(f, records_max);
	f->worker.shared.store = f->control.store;
}

void exchange_fixture_store(struct exchange_fixture *f, struct session *session)
{
	struct store_call call = {
		.verb = STORE_PUT,
		.kind = session->kind == SESSION_SERVICE_ACCOUNT ? RECORD_SERVICE_ACCOUNT
								 : RECORD_SESSION,
		.item = { .session = session_ref(session) },
	};

	store_run(f->worker.shared.store, &call);
	assert_int_equal(call.result, STORE_DONE);
	store_call_done(&call);
}

bool exchange_fixture_forget(struct exchange_fixture *f, const char *session_id)
{
	struct store_call call = { .verb = STORE_REMOVE, .kind = RECORD_SESSION };
	bool was_there;

	(void)snprintf(call.key, sizeof(call.key), "%s", session_id); /* fits */
	store_run(f->worker.shared.store, &call);
	was_there = call.result == STORE_DONE;
	store_call_done(&call);
	return was_there;
}

struct session *exchange_fixture_session(struct exchange_fixture *f, const char *email,
					 int64_t life_s)
{
	const struct local_user *user = local_users_find(f->worker.snapshot->users,
							 str_from(email));
	struct session_facts facts = {
		.idp_id = str_from(f->worker.snapshot->idps.global->id),
		.issued_unix = FIXTURE_NOW,
		.expires_unix = FIXTURE_NOW + life_s,
		.valid_until_unix = FIXTURE_NOW + life_s,
	};
	struct session *session;

	assert_non_null(user);
	facts.who = local_user_identity(user);
	local_user_credential_tag(user, facts.credential_tag);
	session = session_new(&facts);
	identity_unref(facts.who);
	exchange_fixture_store(f, session);
	return session;
}

char *exchange_fixture_token(struct exchange_fixture *f, const struct session *session)
{
	struct session_token token = {
		.issuer = STR(FIXTURE_AUTH_HOST),
		.audience = { STR(FIXTURE_AUTH_HOST) },
		.audience_count = 1,
		.session_id = str_from(session->id),
		.user_id = session->who->user_id,
		.idp_id = session->idp_id,
		.issued_unix = FIXTURE_NOW,
	};
	struct buf text = BUF_INIT(JWS_MAX);

	assert_int_equal(session_token_issue(f->worker.snapshot->shared_key, &token, &text, NULL),
			 0);
	return buf_take_string(&text);
}

char *exchange_fixture_log_in(struct exchange_fixture *f, const char *email)
{
	struct session *session = exchange_fixture_session(f, email, 3600);
	char *token = exchange_fixture_token(f, session);

	session_unref(session);
	return token;
}
