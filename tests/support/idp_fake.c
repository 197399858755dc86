#include "tests/support/idp_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/mem.h"
#include "io/loop.h"
#include "proxy/idp_work.h"
#include "tests/support/clock_fake.h"
#include "tls/certificate.h"

#define CONFIG_MAX   (1u << 20)
#define TEXT_MAX     65536
#define TURNS_MAX    20000
#define SETTLE_TURNS 20
#define SECRET       "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

/* ---- the provider ---- */

static void respond(struct http_peer_call *call, const struct idp_fake_answer *answer,
		    struct str good)
{
	static const struct http_header elsewhere[] = {
		{ STR("location"), STR("https://elsewhere.test/") },
	};
	int status = answer->status ? answer->status : 200;

	http_peer_respond(call, &(struct http_response){
					.status = status,
					.headers = elsewhere,
					.header_count = status == 302 ? 1 : 0,
					.body = answer->body ? str_from(answer->body) : good,
				});
}

static void answer_discovery(struct idp_fake *i, struct http_peer_call *call)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	unsigned port = http_peer_port(i->f.peer);

	(void)buf_printf(&text, "{\"issuer\":\"http://127.0.0.1:%u\"", port);
	(void)buf_printf(&text, ",\"authorization_endpoint\":\"http://127.0.0.1:%u/auth\"", port);
	(void)buf_printf(&text, ",\"token_endpoint\":\"http://127.0.0.1:%u/token\"", port);
	(void)buf_printf(&text, ",\"jwks_uri\":\"http://127.0.0.1:%u/keys\"", port);
	(void)buf_printf(&text, ",\"revocation_endpoint\":\"http://127.0.0.1:%u/revoke\"", port);
	if (!i->has_no_userinfo)
		(void)buf_printf(&text, ",\"userinfo_endpoint\":\"http://127.0.0.1:%u/userinfo\"",
				 port);
	(void)buf_append_str(&text, STR(",\"id_token_signing_alg_values_supported\":[\"ES256\"]}"));
	respond(call, &i->discovery, buf_view(&text));
	buf_done(&text);
}

static void answer_keys(struct idp_fake *i, struct http_peer_call *call)
{
	struct buf text = BUF_INIT(TEXT_MAX);

	signing_keys_write_jwks(i->published, &text);
	respond(call, &i->keys, buf_view(&text));
	buf_done(&text);
}

static void write_id_token(struct idp_fake *i, struct buf *out)
{
	struct buf payload = BUF_INIT(TEXT_MAX);
	long long now = clock_now_unix();

	(void)buf_printf(
		&payload,
		"{\"iss\":\"http://127.0.0.1:%u\",\"sub\":\"%s\",\"aud\":\"" IDP_FAKE_CLIENT
		"\",\"iat\":%lld,\"exp\":%lld,\"nonce\":\"%s\",\"groups\":[\"g%u\"],"
		"\"email\":\"of-token@example.com\"}",
		http_peer_port(i->f.peer), i->subject, now, now + 300, i->nonce, i->generation);
	assert_int_equal(signing_keys_sign(i->signer, buf_view(&payload), out, NULL), 0);
	buf_done(&payload);
}

static bool is_old_token(const struct idp_fake *i)
{
	char wanted[64];

	(void)snprintf(wanted, sizeof(wanted), "refresh_token=refresh-%u", i->generation);
	return strstr(i->form, "grant_type=refresh_token") && !strstr(i->form, wanted);
}

static void answer_token(struct idp_fake *i, struct http_peer_call *call)
{
	static const struct idp_fake_answer used_twice = {
		.status = 400,
		.body = "{\"error\":\"invalid_grant\"}",
	};
	struct buf text = BUF_INIT(TEXT_MAX);
	bool is_refresh;

	(void)snprintf(i->form, sizeof(i->form), "%.*s", STR_FMT(call->request->body));
	is_refresh = strstr(i->form, "grant_type=refresh_token") != NULL;
	if (i->token.status || i->token.body) {
		respond(call, &i->token, STR(""));
		return;
	}
	if (is_old_token(i)) {
		respond(call, &used_twice, STR(""));
		return;
	}
	if (i->rotates || !is_refresh)
		i->generation++;
	(void)buf_printf(
		&text,
		"{\"token_type\":\"Bearer\",\"access_token\":\"access-%u\",\"expires_in\":%u",
		i->generation, i->expires_in_s);
	if (i->rotates || !is_refresh)
		(void)buf_printf(&text, ",\"refresh_token\":\"refresh-%u\"", i->generation);
	if (!is_refresh || !i->has_refresh_without_id_token) {
		(void)buf_append_str(&text, STR(",\"id_token\":\""));
		write_id_token(i, &text);
		(void)buf_append_char(&text, '"');
	}
	(void)buf_append_char(&text, '}');
	respond(call, &i->token, buf_view(&text));
	buf_done(&text);
}

static void answer_userinfo(struct idp_fake *i, struct http_peer_call *call)
{
	static const struct idp_fake_answer refused = { .status = 401 };
	struct buf text = BUF_INIT(TEXT_MAX);
	struct str authorization = STR("");
	char wanted[64];

	(void)http_headers_get(&call->request->headers, STR("authorization"), &authorization);
	(void)snprintf(wanted, sizeof(wanted), "Bearer access-%u", i->generation);
	(void)buf_printf(&text, "{\"sub\":\"%s\",\"email\":\"%s\",\"name\":\"Ann\"}", i->subject,
			 i->email);
	if (str_equal(authorization, str_from(wanted)))
		respond(call, &i->userinfo, buf_view(&text));
	else
		respond(call, &refused, STR(""));
	buf_done(&text);
}

static void answer_revocation(struct idp_fake *i, struct http_peer_call *call)
{
	static const struct idp_fake_answer good = { .body = "" };

	(void)i;
	respond(call, &good, STR(""));
}

static void answer_github_user(struct idp_fake *i, struct http_peer_call *call)
{
	respond(call, &i->userinfo,
		STR("{\"node_id\":\"U_1\",\"login\":\"ann\",\"email\":\"shown@example.com\"}"));
}

static void answer_github_emails(struct idp_fake *i, struct http_peer_call *call)
{
	static const struct idp_fake_answer good = { 0 };

	(void)i;
	respond(call, &good,
		STR("[{\"email\":\"ann@example.com\",\"primary\":true,\"verified\":true}]"));
}

static const struct endpoint {
	const char *path;
	const char *name;
	void (*answer)(struct idp_fake *i, struct http_peer_call *call);
} endpoints[] = {
	{ "/.well-known/openid-configuration", "discovery", answer_discovery },
	{ "/keys", "keys", answer_keys },
	{ "/token", "token", answer_token },
	{ "/userinfo", "userinfo", answer_userinfo },
	{ "/revoke", "revoke", answer_revocation },
	{ "/login/oauth/access_token", "token", answer_token },
	{ "/api/v3/user", "user", answer_github_user },
	{ "/api/v3/user/emails", "emails", answer_github_emails },
};

static void on_request(struct http_peer_call *call)
{
	struct idp_fake *i = container_of((struct fetch_fixture *)call->arg, struct idp_fake, f);

	for (size_t k = 0; k < ARRAY_LEN(endpoints); k++) {
		const struct endpoint *endpoint = &endpoints[k];

		if (!str_equal(call->request->path, str_from(endpoint->path)))
			continue;
		assert_int_equal(buf_printf(&i->f.diary, "%s ", endpoint->name), 0);
		if (!i->is_silent)
			endpoint->answer(i, call);
		return;
	}
	fail_msg("asked for %.*s", STR_FMT(call->request->path));
}

/* ---- keys ---- */

struct signing_keys *idp_fake_keys(const char *name)
{
	char secret[32] = { 0 };
	struct signing_keys *keys;

	(void)snprintf(secret, sizeof(secret), "%s", name);
	assert_int_equal(signing_keys_derive(str_of(secret, sizeof(secret)), &keys, NULL), 0);
	return keys;
}

void idp_fake_sign_with(struct idp_fake *i, const char *name)
{
	signing_keys_unref(i->signer);
	i->signer = idp_fake_keys(name);
}

void idp_fake_publish(struct idp_fake *i, const char *name)
{
	signing_keys_unref(i->published);
	i->published = idp_fake_keys(name);
}

/* ---- birth and death ---- */

static void write_config(struct idp_fake *i, const char *settings, struct buf *text)
{
	const struct str names[] = { STR("redis.example.com") };
	struct buf certificate = BUF_INIT(CONFIG_MAX);
	struct buf key = BUF_INIT(CONFIG_MAX);

	assert_int_equal(certificate_make_self_signed(names, 1, &certificate, &key, NULL), 0);
	(void)buf_append_str(text,
			     STR("shared_secret: " SECRET "\ncookie_secret: " SECRET
				 "\ndatabroker_storage_type: memory\n"
				 "authenticate_service_url: https://login.example.com\n"
				 "idp_client_id: " IDP_FAKE_CLIENT "\nidp_client_secret: hush\n"));
	if (!strstr(settings, "idp_provider:"))
		(void)buf_append_str(text, STR("idp_provider: oidc\n"));
	(void)buf_printf(text, "idp_provider_url: http://127.0.0.1:%u\ncertificate: ",
			 http_peer_port(i->f.peer));
	(void)base64_encode(text, BASE64_STANDARD, certificate.data, certificate.len);
	(void)buf_append_str(text, STR("\ncertificate_key: "));
	(void)base64_encode(text, BASE64_STANDARD, key.data, key.len);
	(void)buf_printf(text,
			 "\nroutes:\n- from: tcp+https://redis.example.com:6379\n"
			 "  to: tcp://10.0.0.5:6379\n  allowed_users: [ann@example.com]\n%s",
			 settings);
	assert_false(text->is_overflown);
	buf_done(&certificate);
	buf_done_secret(&key);
}

static void make_snapshot(struct idp_fake *i, const char *settings)
{
	struct buf text = BUF_INIT(CONFIG_MAX);
	struct report report = { 0 };
	struct config *config = NULL;
	struct err e = { 0 };

	write_config(i, settings, &text);
	if (config_parse(buf_view(&text), "c.yaml", &config, &report, &e) < 0)
		fail_msg("%s", e.text);
	i->snapshot = snapshot_new(config, NULL, &report);
	if (!i->snapshot)
		fail_msg("%s", report.problems[0].text);
	report_done(&report);
	buf_done_secret(&text);
}

void idp_fake_init(struct idp_fake *i, const char *settings)
{
	*i = (struct idp_fake){
		.nonce = "n-1",
		.subject = "sub-1",
		.email = "ann@example.com",
		.expires_in_s = 300,
		.rotates = true,
	};
	clock_fake_set_ms(1000000);
	clock_fake_set_unix(1767225600);
	fetch_fixture_init(&i->f, on_request);
	make_snapshot(i, settings);
	idp_fake_sign_with(i, "first");
	idp_fake_publish(i, "first");
	i->keyring = keyring_new(i->f.loop, i->f.fetcher);
	i->idps = idp_service_new(i->f.loop, i->f.fetcher, i->keyring);
}

void idp_fake_done(struct idp_fake *i)
{
	idp_service_free(TAKE(i->idps));
	keyring_free(TAKE(i->keyring));
	idp_call_done(&i->call);
	signing_keys_unref(TAKE(i->signer));
	signing_keys_unref(TAKE(i->published));
	snapshot_unref(TAKE(i->snapshot));
	fetch_fixture_done(&i->f);
}

/* ---- calls ---- */

const struct idp *idp_fake_client(const struct idp_fake *i)
{
	return i->snapshot->idps.global;
}

static void on_done(struct idp_call *call)
{
	container_of(call, struct idp_fake, call)->done_count++;
}

void idp_fake_start(struct idp_fake *i, enum idp_verb verb)
{
	struct idp_call *call = &i->call;
	unsigned before = i->done_count;

	snapshot_unref(TAKE(call->snapshot));
	call->verb = verb;
	call->snapshot = snapshot_ref(i->snapshot);
	call->idp = idp_fake_client(i);
	call->code = STR("code-1");
	call->redirect_uri = STR("https://login.example.com/oauth2/callback");
	call->nonce = STR("n-1");
	call->code_verifier = STR("verifier");
	call->now_unix = clock_now_unix();
	call->on_done = on_done;
	call->error = (struct err){ 0 };
	idp_service_start(i->idps, call);
	/* never from inside */
	assert_int_equal(i->done_count, before);
}

void idp_fake_wait(struct idp_fake *i)
{
	unsigned wanted = i->done_count + 1;

	for (unsigned turns = 0; i->done_count < wanted; turns++) {
		assert_true(turns < TURNS_MAX);
		loop_turn(i->f.loop, true);
	}
	for (int k = 0; k < 3; k++) /* nor twice */
		loop_turn(i->f.loop, false);
	assert_int_equal(i->done_count, wanted);
}

void idp_fake_run(struct idp_fake *i, enum idp_verb verb)
{
	idp_fake_start(i, verb);
	idp_fake_wait(i);
}

void idp_fake_forget(struct idp_fake *i)
{
	idp_call_done(&i->call);
	i->call = (struct idp_call){ 0 };
}

void idp_fake_settle(struct idp_fake *i)
{
	for (unsigned turns = 0; turns < SETTLE_TURNS || i->idps->work_count > 0; turns++) {
		assert_true(turns < TURNS_MAX);
		clock_fake_advance_ms(i->idps->work_count > 0 ? 1 : 0);
		loop_turn(i->f.loop, i->idps->work_count > 0);
	}
}

void idp_fake_expect(const struct idp_fake *i, enum idp_result result, const char *error_has)
{
	if (i->call.result != result || !strstr(i->call.error.text, error_has))
		fail_msg("got %d \"%s\" instead of %d \"%s\"", (int)i->call.result,
			 i->call.error.text, (int)result, error_has);
}
