/*
 * oidc_response.c - the answers of the token and userinfo endpoints
 *
 * GitHub answers the token request in form encoding unless asked otherwise, and reports errors with status 200; so the
 * first byte decides how a body is read, and an "error" is looked for in every one. Descriptions of errors are not
 * repeated: some servers put the refused token into them.
 */

#include "identity/oidc_token.h"

#include <stdlib.h>

#include "base/url.h"
#include "identity/json_input.h"

#define ERROR_CODE_MAX  64
#define LIFETIME_MAX_S  (366ll * 86400)
#define STATUS_OK       200
#define STATUS_BAD      400
#define STATUS_UNAUTHED 401
#define STATUS_DENIED   403

struct token_texts {
	struct str access_token;
	struct str refresh_token;
	struct str id_token;
	struct str token_type;
	int64_t lifetime_s; /* -1: unknown */
};

static bool is_json(struct str body)
{
	struct str text = str_trim(body);

	return text.len && text.at[0] == '{';
}

/* The code of an error as RFC 6749 and RFC 6750 write it; anything else is not one. */
static bool is_error_code(struct str code)
{
	if (!code.len || code.len > ERROR_CODE_MAX)
		return false;
	for (size_t i = 0; i < code.len; i++) {
		char c = code.at[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '_' || c == '-' || c == '.'))
			return false;
	}
	return true;
}

static int refuse_error(struct str code, struct err *e)
{
	return err_set(e, ERR_PROTOCOL, "the identity provider refused: %.*s",
		       STR_FMT(is_error_code(code) ? code : STR("no usable error code")));
}

static int read_json_text(const json_t *object, const char *name, struct arena *arena,
			  struct str *ret, struct err *e)
{
	const json_t *value = json_object_get(object, name);

	if (!value || json_is_null(value))
		return 0;
	if (!json_is_string(value))
		return err_set(e, ERR_PROTOCOL, "\"%s\" is not a string", name);
	*ret = arena_copy(arena, json_input_view(value));
	return 0;
}

static int read_lifetime_text(struct str text, int64_t *ret, struct err *e)
{
	uint64_t seconds;

	if (!str_to_uint64(text, &seconds))
		return err_set(e, ERR_PROTOCOL, "\"expires_in\" is not a number of seconds");
	*ret = seconds > LIFETIME_MAX_S ? LIFETIME_MAX_S : (int64_t)seconds;
	return 0;
}

/* Some providers write the number as text. */
static int read_json_lifetime(const json_t *object, int64_t *ret, struct err *e)
{
	const json_t *value = json_object_get(object, "expires_in");

	if (!value || json_is_null(value))
		return 0;
	if (json_is_string(value))
		return read_lifetime_text(json_input_view(value), ret, e);
	if (!json_input_seconds(value, ret))
		return err_set(e, ERR_PROTOCOL, "\"expires_in\" is not a number of seconds");
	if (*ret > LIFETIME_MAX_S)
		*ret = LIFETIME_MAX_S;
	return 0;
}

static int read_json(struct str body, struct arena *arena, struct token_texts *ret, struct err *e)
{
	_cleanup_(json_decrefp) json_t *object = json_input_object(body, OIDC_RESPONSE_MAX, e);
	if (!object)
		return -1;
	const json_t *error = json_object_get(object, "error");
	if (error && !json_is_null(error))
		return refuse_error(json_input_text(object, "error"), e);
	if (read_json_text(object, "access_token", arena, &ret->access_token, e) ||
	    read_json_text(object, "refresh_token", arena, &ret->refresh_token, e) ||
	    read_json_text(object, "id_token", arena, &ret->id_token, e) ||
	    read_json_text(object, "token_type", arena, &ret->token_type, e))
		return -1;
	return read_json_lifetime(object, &ret->lifetime_s, e);
}

static bool has_twins(const struct query *q)
{
	for (size_t i = 0; i < q->count; i++) {
		for (size_t k = i + 1; k < q->count; k++) {
			if (str_equal(q->items[i].name, q->items[k].name))
				return true;
		}
	}
	return false;
}

static int read_form(struct str body, struct arena *arena, struct token_texts *ret, struct err *e)
{
	struct str text;
	struct query q;

	if (query_parse(str_trim(body), arena, &q, e))
		return -1;
	if (has_twins(&q))
		return err_set(e, ERR_PROTOCOL, "a name appears twice in it");
	if (query_get(&q, STR("error"), &text))
		return refuse_error(text, e);
	(void)query_get(&q, STR("access_token"), &ret->access_token);   /* checked by the caller */
	(void)query_get(&q, STR("refresh_token"), &ret->refresh_token); /* optional */
	(void)query_get(&q, STR("id_token"), &ret->id_token);           /* likewise */
	(void)query_get(&q, STR("token_type"), &ret->token_type);       /* likewise */
	if (query_get(&q, STR("expires_in"), &text))
		return read_lifetime_text(text, &ret->lifetime_s, e);
	return 0;
}

/* They travel in headers and forms: what is not printable would be able to break out of one. */
static int check_token(const char *name, struct str token, struct err *e)
{
	if (token.len > OIDC_TOKEN_MAX)
		return err_set(e, ERR_LIMIT, "the %s is longer than %d bytes", name,
			       OIDC_TOKEN_MAX);
	if (!str_is_printable_ascii(token) || str_find(token, ' ') < token.len)
		return err_set(e, ERR_PROTOCOL, "the %s has characters that no token may have",
			       name);
	return 0;
}

static int check_texts(const struct token_texts *texts, struct err *e)
{
	if (!texts->access_token.len)
		return err_set(e, ERR_PROTOCOL, "it holds no access token");
	if (texts->token_type.len && !str_equal_nocase(texts->token_type, STR("bearer")))
		return err_set(e, ERR_PROTOCOL, "the access token is not a bearer token");
	if (check_token("access token", texts->access_token, e) ||
	    check_token("refresh token", texts->refresh_token, e))
		return -1;
	return check_token("id_token", texts->id_token, e);
}

int oidc_tokens_parse(struct str body, int64_t now_unix, struct arena *arena,
		      struct oidc_tokens *ret, struct err *e)
{
	struct token_texts texts = { .lifetime_s = -1 };
	int rc = is_json(body) ? read_json(body, arena, &texts, e)
			       : read_form(body, arena, &texts, e);

	if (rc || check_texts(&texts, e))
		return err_wrap(e, "the answer of the token endpoint");
	*ret = (struct oidc_tokens){
		.access_token = texts.access_token,
		.refresh_token = texts.refresh_token,
		.id_token = texts.id_token,
		.access_expires_unix = texts.lifetime_s < 0 ? 0 : now_unix + texts.lifetime_s,
	};
	return 0;
}

/*
 * What was refused once may be granted the next time. The last two are about us and not about whoever is logged in: an operator
 * who mistypes a new secret shall not log everybody out.
 */
static bool is_temporary_code(struct str code)
{
	static const char *const codes[] = {
		"temporarily_unavailable", "server_error",   "slow_down",
		"authorization_pending",   "invalid_client", "unauthorized_client"
	};

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		if (str_equal(code, str_from(codes[i])))
			return true;
	}
	return false;
}

/*
 * Without a code of the protocol. A 401 is one of an endpoint that names its error in a header, so its body may be empty or
 * any JSON object; a page of a proxy in between is none. A 403 with a body of its own is what GitHub and Google limit
 * rates with.
 */
static bool is_refusal_without_code(int status, bool is_object, struct str body)
{
	bool is_empty = str_trim(body).len == 0;

	if (status == STATUS_UNAUTHED)
		return is_empty || is_object;
	return status == STATUS_DENIED && is_empty;
}

static bool is_refusal(int status)
{
	return status == STATUS_OK || status == STATUS_BAD || status == STATUS_UNAUTHED ||
	       status == STATUS_DENIED;
}

static struct str form_error(struct str body, struct arena *arena)
{
	struct str code = STR("");
	struct query q;

	if (body.len <= OIDC_RESPONSE_MAX && query_parse(str_trim(body), arena, &q, NULL) == 0)
		(void)query_get(&q, STR("error"), &code); /* none is fine */
	return code;
}

bool oidc_error_is_definitive(int status, struct str body, struct err *e)
{
	struct arena arena = { 0 };
	_cleanup_(json_decrefp)
		json_t *object = is_json(body) ? json_input_object(body, OIDC_RESPONSE_MAX, NULL)
					       : NULL;
	struct str code = object ? json_input_text(object, "error") : form_error(body, &arena);
	bool has_code = is_error_code(code);
	bool is_definitive = is_refusal(status) && !is_temporary_code(code);

	if (!has_code && !is_refusal_without_code(status, object != NULL, body))
		is_definitive = false;
	if (has_code)
		(void)err_set(e, ERR_PROTOCOL, "the identity provider refused: %.*s (status %d)",
			      STR_FMT(code), status);
	else
		(void)err_set(e, ERR_PROTOCOL, "the identity provider answered with status %d",
			      status);
	arena_done(&arena);
	return is_definitive;
}

static int check_subject(const json_t *object, struct str subject, struct err *e)
{
	const json_t *value = json_object_get(object, "sub");

	if (!subject.len)
		return 0;
	if (!json_is_string(value))
		return err_set(e, ERR_PROTOCOL, "it names no subject");
	if (!str_equal(json_input_view(value), subject))
		return err_set(e, ERR_PROTOCOL, "it is about another user than the id_token");
	return 0;
}

static int read_userinfo(struct str body, struct str subject, struct arena *arena,
			 struct claims *ret, struct err *e)
{
	if (str_starts_with(str_trim(body), STR("eyJ"))) /* base64url of {" */
		return err_set(e, ERR_PROTOCOL,
			       "it is a signed or encrypted token, which is not supported: let the "
			       "provider answer with plain JSON");

	_cleanup_(json_decrefp) json_t *object = json_input_object(body, OIDC_RESPONSE_MAX, e);
	if (!object || check_subject(object, subject, e))
		return -1;
	return claims_parse(body, arena, ret, e);
}

int oidc_userinfo_parse(struct str body, struct str subject, struct arena *arena,
			struct claims *ret, struct err *e)
{
	if (read_userinfo(body, subject, arena, ret, e))
		return err_wrap(e, "the answer of the userinfo endpoint");
	return 0;
}
